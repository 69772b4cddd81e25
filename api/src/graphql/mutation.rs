//! What can be done: one business action each. Refusals of the rules come as `userErrors`, with nothing changed.

mod access;
mod approvals;
mod bulk;
mod comments;
mod diagnosis;
mod executions;
mod measurement;
mod policies;
mod processes;
mod roles;
mod sops;
mod tokens;
mod versions;

use async_graphql::{Context, InputType, MergedObject};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::Result;
use super::loaders::{VersionKey, load};
use super::types::sop::{Sop, sop};
use super::types::version::{Version, version};
use crate::app::IdempotencyKey;

/// What can be done.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct MutationRoot(
    access::AccessMutation,
    processes::ProcessMutation,
    roles::RoleMutation,
    tokens::TokenMutation,
    sops::SopMutation,
    versions::VersionMutation,
    approvals::ApprovalMutation,
    bulk::BulkMutation,
    comments::CommentMutation,
    policies::PolicyMutation,
    executions::ExecutionMutation,
    measurement::MeasurementMutation,
    diagnosis::DiagnosisMutation,
);

/// The key of an input with the fingerprint of all that it says.
pub fn keyed<I: InputType>(key: Option<&String>, input: &I) -> Option<IdempotencyKey> {
    let text = input.to_value().to_string();
    key.map(|key| IdempotencyKey { key: key.clone(), fingerprint: hex::encode(Sha256::digest(text.as_bytes())) })
}

/// Declares the payload of a mutation: what it made or changed, and why it was refused.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
            /// Why it was refused; empty when it was done.
            pub user_errors: Vec<$crate::graphql::error::UserError>,
        }
    };
}

pub(crate) use payload;

/// A version with its SOP, as they are after a mutation.
pub async fn version_and_sop(ctx: &Context<'_>, made: Option<Uuid>) -> Result<(Option<Version>, Option<Sop>)> {
    let Some(id) = made else { return Ok((None, None)) };
    let Some(row) = load(ctx, VersionKey(id)).await? else { return Ok((None, None)) };
    Ok((version(ctx, id).await?, sop(ctx, row.sop_id).await?))
}
