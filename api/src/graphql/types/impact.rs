//! What the retirement of an SOP would touch.

use async_graphql::{Context, Object};

use super::sop::Sop;
use crate::app::impact::Impact;
use crate::error::Error;
use crate::graphql::error::Result;
use crate::graphql::loaders::{SopKey, load_many};
use crate::graphql::scalars::BigInt;
use crate::store::Uuid;

/// What the retirement of an SOP would touch.
pub struct RetirementImpact(pub Impact);

/// What the retirement of an SOP would touch.
#[Object]
impl RetirementImpact {
    /// How many executions of it are under way: neither an end nor an outcome was reported.
    async fn running_executions(&self) -> Result<BigInt> {
        Ok(BigInt(i64::try_from(self.0.running).map_err(Error::internal)?))
    }

    /// The SOPs that name its code in the version in force or in an open one, where you see that version.
    async fn referring_sops(&self, ctx: &Context<'_>) -> Result<Vec<Sop>> {
        let ids: Vec<Uuid> = self.0.referring.keys().copied().collect();
        let published = |sop: &Sop| self.0.referring.get(&sop.row.id).copied().unwrap_or_default();
        Ok(seen(ctx, &ids).await?.into_iter().filter(|sop| sop.sight.drafts || published(sop)).collect())
    }

    /// The retired SOPs that name it as their successor.
    async fn successor_of(&self, ctx: &Context<'_>) -> Result<Vec<Sop>> {
        seen(ctx, &self.0.succeeded).await
    }
}

async fn seen(ctx: &Context<'_>, ids: &[Uuid]) -> Result<Vec<Sop>> {
    let mut found = load_many(ctx, ids.iter().map(|id| SopKey(*id)).collect()).await?;
    Ok(ids.iter().filter_map(|id| found.remove(&SopKey(*id))).collect())
}
