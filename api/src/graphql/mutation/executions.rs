//! Ingestion of executions.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::payload;
use crate::app::Call;
use crate::app::executions::{Answer, BatchInput};
use crate::graphql::error::{Result, settle};
use crate::graphql::scalars::DateTime;
use crate::graphql::types::execution::ExecutionInput;
use crate::graphql::types::{ExecutionMode, RejectionCode};
use crate::intake::Intake;

/// A batch of executions.
#[derive(InputObject)]
pub struct ExecutionsRecordInput {
    /// The source that your token is bound to.
    source: String,
    /// What the batch is for.
    mode: ExecutionMode,
    /// When it was sent, by your clock: one that runs ahead is corrected, and the correction marked.
    sent_at: Option<DateTime>,
    /// At most 1000.
    executions: Vec<ExecutionInput>,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ExecutionResultStatus {
    /// A run began to exist.
    Created,
    /// A run changed.
    Updated,
    /// This event was taken before: nothing to do.
    Duplicate,
    /// Newer events of the run had said all of it.
    Stale,
    /// This event was taken before with other content.
    Conflict,
    /// It breaks a rule; the others are not held up by it.
    Rejected,
}

/// Why an item was rejected.
#[derive(SimpleObject)]
pub struct ExecutionRejection {
    /// Which rule.
    code: RejectionCode,
    /// The field, from the root of the item.
    path: Vec<String>,
    /// What is wrong, for a person.
    message: String,
}

/// What became of an item.
#[derive(SimpleObject)]
pub struct ExecutionResult {
    /// Its place in the batch, from 0.
    index: i32,
    /// What became of it.
    status: ExecutionResultStatus,
    /// The execution, where one was made, changed or newer.
    execution_id: Option<ID>,
    /// Why it was rejected, where it was.
    rejection: Option<ExecutionRejection>,
}

payload! {
    /// What `executionsRecord` did.
    ExecutionsRecordPayload {
        /// What became of each item, in their order; null when the whole batch was refused.
        results: Vec<ExecutionResult>,
    }
}

#[derive(Default)]
pub struct ExecutionMutation;

#[Object]
impl ExecutionMutation {
    /// Takes a batch of executions. Each item is answered for itself: right ones are stored though others are
    /// rejected, and a batch that is sent again, because its answer was lost, counts once. While too many batches are in
    /// work it answers `LIMIT_EXCEEDED` with `extensions.retryAfter` in seconds, and takes nothing.
    async fn executions_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ExecutionsRecordInput,
    ) -> Result<ExecutionsRecordPayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let batch = BatchInput {
            source: input.source,
            mode: input.mode.into(),
            sent_at: input.sent_at.map(|at| at.0),
            reports: input.executions.into_iter().map(Into::into).collect(),
        };
        let intake = ctx.data_unchecked::<Arc<Intake>>();
        let (answers, user_errors) = settle(intake.take(call, batch).await)?;
        let results = answers.map(|answers| (0..).zip(answers).map(|(index, answer)| show(index, answer)).collect());
        Ok(ExecutionsRecordPayload { results, user_errors })
    }
}

fn show(index: i32, answer: Answer) -> ExecutionResult {
    let (status, id, rejection) = match answer {
        Answer::Created(id) => (ExecutionResultStatus::Created, Some(id), None),
        Answer::Updated(id) => (ExecutionResultStatus::Updated, Some(id), None),
        Answer::Stale(id) => (ExecutionResultStatus::Stale, Some(id), None),
        Answer::Duplicate => (ExecutionResultStatus::Duplicate, None, None),
        Answer::Conflict => (ExecutionResultStatus::Conflict, None, None),
        Answer::Rejected(rejection) => (ExecutionResultStatus::Rejected, None, Some(rejection)),
    };
    let rejection = rejection.map(|r| ExecutionRejection {
        code: r.code.into(),
        path: r.path.split('.').map(str::to_owned).collect(),
        message: r.message,
    });
    ExecutionResult { index, status, execution_id: id.map(|id| id.to_string().into()), rejection }
}
