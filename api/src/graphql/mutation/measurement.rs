//! What versions are measured by.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::ids::VersionId;
use sopwith_domain::measurement::{Goal, Metric, Plan, Target};

use super::{payload, version_and_sop};
use crate::app::{Call, measurement};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::typed;
use crate::graphql::scalars::{BigInt, Duration};
use crate::graphql::types::MeasurementMetric;
use crate::graphql::types::version::Version;

/// What a version is to reach; what is absent is no target.
#[derive(InputObject, Default)]
pub struct MeasurementTargetsInput {
    /// The least share of runs that follow the procedure, from 0 to 1.
    adoption_at_least: Option<f64>,
    /// The largest share of runs with errors, from 0 to 1.
    error_rate_at_most: Option<f64>,
    /// The least share of runs right the first time, from 0 to 1.
    first_time_right_at_least: Option<f64>,
    /// The longest median of completion times; no longer than `watchDays`.
    median_completion_time_at_most: Option<Duration>,
}

/// What a draft is to be measured by, all of it.
#[derive(InputObject)]
pub struct MeasurementPlanSetInput {
    /// Of which version; a draft.
    version_id: ID,
    /// The revision of the plan that you saw; 0 where nothing was declared.
    expected_revision: BigInt,
    /// The one metric that the verdict goes by. A first version has no adoption to compare with.
    primary_metric: MeasurementMetric,
    /// What is to be reached.
    #[graphql(default)]
    targets: MeasurementTargetsInput,
    /// How many days after it took effect the version is judged: at least `learningDays` + 14 + `watchDays`, and at most
    /// 366.
    #[graphql(default = 42)]
    matures_after_days: i32,
    /// For how many days it is being learnt, 0 to 90.
    #[graphql(default = 7)]
    learning_days: i32,
    /// For how many days each run is watched, 1 to 90: more than all but a few runs take.
    #[graphql(default = 7)]
    watch_days: i32,
}

impl From<MeasurementPlanSetInput> for Plan {
    fn from(input: MeasurementPlanSetInput) -> Self {
        let MeasurementTargetsInput {
            adoption_at_least,
            error_rate_at_most,
            first_time_right_at_least,
            median_completion_time_at_most,
        } = input.targets;
        let targets = [
            (Metric::Adoption, adoption_at_least.map(Goal::Share)),
            (Metric::ErrorRate, error_rate_at_most.map(Goal::Share)),
            (Metric::FirstTimeRight, first_time_right_at_least.map(Goal::Share)),
            (Metric::CompletionTime, median_completion_time_at_most.map(|time| Goal::Duration(time.micros))),
        ];
        Self {
            primary: input.primary_metric.into(),
            targets: targets.into_iter().filter_map(|(metric, goal)| Some(Target { metric, goal: goal? })).collect(),
            matures_after_days: input.matures_after_days,
            learning_days: input.learning_days,
            watch_days: input.watch_days,
        }
    }
}

payload! {
    /// What `measurementPlanSet` did.
    MeasurementPlanSetPayload {
        /// The version with its plan.
        version: Version,
    }
}

#[derive(Default)]
pub struct MeasurementMutation;

#[Object]
impl MeasurementMutation {
    /// Declares what a draft is to be measured by, or replaces what was declared. Needs what editing needs; whoever does
    /// it contributes to the version, and does not decide on it. From its submission on the plan is fixed, and when the
    /// version takes effect the figures of before are written down with it.
    async fn measurement_plan_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: MeasurementPlanSetInput,
    ) -> Result<MeasurementPlanSetPayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<VersionId>(&input.version_id, "version") {
            Ok(id) => measurement::set(call, id, input.expected_revision.0, input.into()).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let (version, _) = version_and_sop(ctx, made.map(|v| v.0)).await?;
        Ok(MeasurementPlanSetPayload { version, user_errors })
    }
}
