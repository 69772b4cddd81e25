//! Whether what was written down helped.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use sopwith_domain::ids::VersionId;

use super::{seen, typed};
use crate::app::{Call, comparison};
use crate::graphql::error::Result;
use crate::graphql::types::comparison::VersionImpact;

#[derive(Default)]
pub struct MeasurementQuery;

#[Object]
impl MeasurementQuery {
    /// A version against the one before it, or against the time before there was any; null for a version that you do not
    /// see, and for one that never was in force. For who reads figures of its SOP: the owner, and whoever may for its
    /// team. It judges on the maturity date of the version's `measurementPlan` and says nothing of differences before.
    #[graphql(complexity = "child_complexity + 500")]
    async fn version_impact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which version.")] version_id: ID,
    ) -> Result<Option<VersionImpact>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let id = typed::<VersionId>(&version_id, "version")?;
        Ok(seen(comparison::of_version(call, id).await)?.flatten().map(VersionImpact))
    }
}
