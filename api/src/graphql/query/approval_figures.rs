//! Figures of approval requests.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::ids::{SopId, TeamId};

use super::records::zone;
use super::typed_option;
use crate::app::Call;
use crate::app::approval_figures::{self as app, Question};
use crate::graphql::error::Result;
use crate::graphql::scalars::DateTime;
use crate::graphql::types::PolicyKind;
use crate::graphql::types::approval_figures::{ApprovalFigures, ApprovalFiguresDimension};
use crate::graphql::types::figures::TimeBucket;
use crate::store::approvals::passages::PassageFilter;

/// Which approval requests figures are asked of; all conditions hold together.
#[derive(InputObject, Default)]
pub struct ApprovalFiguresFilter {
    /// For changes of this kind.
    kind: Option<PolicyKind>,
    /// Of this SOP.
    sop_id: Option<ID>,
    /// Of the SOPs of this team.
    team_id: Option<ID>,
    /// Of requests that were opened at this time or later.
    from: Option<DateTime>,
    /// Of requests that were opened before this time.
    to: Option<DateTime>,
}

#[derive(Default)]
pub struct ApprovalFiguresQuery;

#[Object]
impl ApprovalFiguresQuery {
    /// How approval requests end and after how long, which stage holds them up, and who is waited for, grouped as you say, in
    /// the order of their groups. Of the SOPs of which you read figures and see the requests. At most 2,000 groups, of at
    /// most 20,000 requests.
    #[graphql(complexity = "20 * child_complexity + 2000")]
    async fn approval_figures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which requests.")] filter: Option<ApprovalFiguresFilter>,
        #[graphql(desc = "One row for each of these together; a single row when absent.")] group_by: Option<
            Vec<ApprovalFiguresDimension>,
        >,
        #[graphql(desc = "And for each time bucket.")] bucket: Option<TimeBucket>,
        #[graphql(
            desc = "The time zone of the buckets, such as `Europe/Berlin`; that of the organisation when absent."
        )]
        time_zone: Option<String>,
    ) -> Result<Vec<ApprovalFigures>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let filter = filter.unwrap_or_default();
        let question = Question {
            filter: PassageFilter {
                kind: filter.kind.map(Into::into),
                sop: typed_option::<SopId>(filter.sop_id.as_ref(), "SOP")?,
                team: typed_option::<TeamId>(filter.team_id.as_ref(), "team")?,
                from: filter.from.map(|at| at.0),
                to: filter.to.map(|at| at.0),
            },
            by: group_by.unwrap_or_default().into_iter().map(Into::into).collect(),
            bucket: bucket.map(Into::into),
            zone: time_zone.as_deref().map(zone).transpose()?,
        };
        let found = app::answer(call, &question).await?;
        Ok(found.into_iter().map(|(group, figures)| ApprovalFigures { group, figures }).collect())
    }
}
