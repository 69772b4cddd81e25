//! What is done about what a diagnosis found.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::SopId;

use super::{keyed, payload};
use crate::app::{Call, diagnosis};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::typed;
use crate::graphql::types::diagnosis::{DiagnosisResponse, response};
use crate::graphql::types::{DiagnosisFindingKind, DiagnosisResponseKind};

/// What is done about something that a diagnosis found.
#[derive(InputObject)]
pub struct DiagnosisAnswerInput {
    /// About which SOP.
    sop_id: ID,
    /// About what was found.
    finding: DiagnosisFindingKind,
    /// The key of the step, for `TROUBLED_STEP` and nothing else.
    step_key: Option<String>,
    /// What is done: what the finding proposes, or anything else.
    response: DiagnosisResponseKind,
    /// Why, or how.
    #[graphql(default)]
    note: String,
    /// The same key with the same input makes one response.
    idempotency_key: Option<String>,
}

impl DiagnosisAnswerInput {
    fn read(self) -> std::result::Result<diagnosis::ResponseInput, Refusal> {
        Ok(diagnosis::ResponseInput {
            sop: typed::<SopId>(&self.sop_id, "SOP")?,
            finding: self.finding.into(),
            step_key: self.step_key,
            response: self.response.into(),
            note: self.note,
        })
    }
}

payload! {
    /// What `diagnosisAnswer` did.
    DiagnosisAnswerPayload {
        /// The response, with the figures as they were.
        response: DiagnosisResponse,
    }
}

#[derive(Default)]
pub struct DiagnosisMutation;

#[Object]
impl DiagnosisMutation {
    /// Records what is done about something that a diagnosis finds now, with the figures that led there, to be looked
    /// back on. The owner's, and theirs who manage SOPs of the team.
    async fn diagnosis_answer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DiagnosisAnswerInput,
    ) -> Result<DiagnosisAnswerPayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let answer = match input.read() {
            Ok(read) => diagnosis::respond(call, read, key).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let response = match made {
            Some(id) => response(ctx, id).await?,
            None => None,
        };
        Ok(DiagnosisAnswerPayload { response, user_errors })
    }
}
