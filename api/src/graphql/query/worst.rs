//! Which rules are breached most, and which steps give most trouble.

use std::sync::Arc;

use async_graphql::{Context, Object};

use super::records::{FiguresFilter, first_of, zone};
use crate::app::Call;
use crate::app::figures::{steps, violations};
use crate::graphql::error::Result;
use crate::graphql::types::figures::TimeBucket;
use crate::graphql::types::sop::page_size;
use crate::graphql::types::step_errors::{StepErrors, StepErrorsBy};
use crate::graphql::types::violations::{ViolationKinds, ViolationKindsBy};
use crate::store::figures::Question;

#[derive(Default)]
pub struct WorstQuery;

#[Object]
impl WorstQuery {
    /// Violations of the runs that you read, by kind, the worst kinds first; training runs are not in them. Without
    /// `filter.from` of the 90 days before the end, and of at most 366; nothing from before `executionsKeptFrom`. Every
    /// violation is counted: a time of which more than 500,000 runs have some is `BAD_USER_INPUT`, at `filter.from`.
    #[graphql(complexity = "page_size(Some(first), None) * child_complexity + 1000")]
    async fn violation_kinds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which runs.")] filter: Option<FiguresFilter>,
        #[graphql(desc = "Which are the worst.", default_with = "ViolationKindsBy::Number")] by: ViolationKindsBy,
        #[graphql(desc = "The first so many, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "With the same of each day, week or month as `series`.")] bucket: Option<TimeBucket>,
        #[graphql(
            desc = "The time zone of the buckets, such as `Europe/Berlin`; that of the organisation when absent. Of another one \
                    than that at most 92 days are given; where its clocks strike at another minute, the runs of an hour are \
                    counted where the organisation's hour begins."
        )]
        time_zone: Option<String>,
    ) -> Result<ViolationKinds> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let first = first_of(first)?;
        let question = Question {
            bucket: bucket.map(Into::into),
            zone: time_zone.as_deref().map(zone).transpose()?,
            ..filter.unwrap_or_default().question()?
        };
        let (found, to) = violations::by_kind(call, question, by.into(), first).await?;
        Ok(ViolationKinds { found, to })
    }

    /// Which steps fail most often, are skipped or tried again, by the runs that you read; training runs are not in it. A
    /// step is one of an SOP, over all its versions; of runs without an SOP it is one of their process. Without
    /// `filter.from` of the 90 days before the end, and of at most 366; nothing from before `executionsKeptFrom`. Of more
    /// than 15,000 runs a part is read. Where more than 500,000 would have to be gone through to find it, which are all
    /// of the time, or those of the SOP or the process if one is asked for, whoever performed them, it is `BAD_USER_INPUT`,
    /// at the field that would make them fewer: `filter.sopId`, or `filter.from`.
    #[graphql(complexity = "page_size(Some(first), None) * child_complexity + 1000")]
    async fn step_errors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which runs.")] filter: Option<FiguresFilter>,
        #[graphql(desc = "Which are the worst.", default_with = "StepErrorsBy::Failed")] by: StepErrorsBy,
        #[graphql(desc = "The first so many, 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "With the same of each day, week or month as `series`.")] bucket: Option<TimeBucket>,
        #[graphql(
            desc = "The time zone of the buckets, such as `Europe/Berlin`; that of the organisation when absent."
        )]
        time_zone: Option<String>,
    ) -> Result<StepErrors> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let first = first_of(first)?;
        let question = Question {
            bucket: bucket.map(Into::into),
            zone: time_zone.as_deref().map(zone).transpose()?,
            ..filter.unwrap_or_default().question()?
        };
        Ok(StepErrors(steps::worst(call, question, by.into(), first).await?))
    }
}
