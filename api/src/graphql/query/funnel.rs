//! Where runs stop, stumble and take their time.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::ids::{TeamId, VersionId};

use super::{seen, typed, typed_option};
use crate::app::Call;
use crate::app::funnel::{self, Asked};
use crate::graphql::error::Result;
use crate::graphql::scalars::DateTime;
use crate::graphql::types::funnel::StepFunnel;

/// Which runs of a version are asked for; all conditions hold together.
#[derive(InputObject, Default)]
pub struct StepFunnelFilter {
    /// Performed by this team.
    team_id: Option<ID>,
    /// Started at this time or later; 90 days before the end when absent, and at most 366.
    from: Option<DateTime>,
    /// Started before this time; now when absent.
    to: Option<DateTime>,
}

#[derive(Default)]
pub struct FunnelQuery;

#[Object]
impl FunnelQuery {
    /// How the runs of a version that you read went through its steps; null for a version that you do not see, and for one
    /// that never was in force. Training runs are not in it.
    #[graphql(complexity = "20 * child_complexity + 1000")]
    async fn step_funnel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which version.")] version_id: ID,
        #[graphql(desc = "Of which runs.")] filter: Option<StepFunnelFilter>,
    ) -> Result<Option<StepFunnel>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let id = typed::<VersionId>(&version_id, "version")?;
        let filter = filter.unwrap_or_default();
        let asked = Asked {
            team: typed_option::<TeamId>(filter.team_id.as_ref(), "team")?,
            from: filter.from.map(|at| at.0),
            to: filter.to.map(|at| at.0),
        };
        Ok(seen(funnel::of_version(call, id, &asked).await)?.flatten().map(StepFunnel))
    }
}
