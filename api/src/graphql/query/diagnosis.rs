//! What ails procedures, and what was chosen to be done about it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use sopwith_domain::ids::SopId;

use super::{seen, typed};
use crate::app::{Call, diagnosis};
use crate::graphql::connection::{Counted, List, Paging, list};
use crate::graphql::error::Result;
use crate::graphql::types::diagnosis::{Diagnosis, DiagnosisResponse};
use crate::graphql::types::sop::page_size;
use crate::store::diagnosis as stored;
use crate::store::page::Key;

#[derive(Default)]
pub struct DiagnosisQuery;

#[Object]
impl DiagnosisQuery {
    /// What ails a procedure by its runs; null for an SOP that you do not see, and where no version is in force. For who
    /// reads figures of it: the owner, and whoever may for its team.
    #[graphql(complexity = "child_complexity + 500")]
    async fn diagnosis(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which SOP.")] sop_id: ID,
    ) -> Result<Option<Diagnosis>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let id = typed::<SopId>(&sop_id, "SOP")?;
        Ok(seen(diagnosis::of_sop(call, id).await)?.flatten().map(Diagnosis))
    }

    /// What was chosen to be done about what ailed a procedure, newest first; for the same people.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn diagnosis_responses(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "About which SOP.")] sop_id: ID,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<DiagnosisResponse>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let id = typed::<SopId>(&sop_id, "SOP")?;
        let window = Paging { first, after, last, before }.window()?;
        diagnosis::permit_reading(call, id).await?;
        let page = stored::list(call.store.read(), id, &window).await?;
        Ok(list(page, Counted::DiagnosisResponses(id), |r| (Key::Number(r.created_at), r.id), DiagnosisResponse))
    }
}
