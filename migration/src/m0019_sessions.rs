//! Sessions of browsers. What is stored of the cookie is its SHA-256, in lower-case hex; of the token that a session was
//! made from, what its claims said of roles, or which API token it was.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        TERMS.create(manager).await
    }
}

const TABLES: &[&str] = &[
    "CREATE TABLE session (
        id UUID PRIMARY KEY,
        digest text NOT NULL UNIQUE CHECK (length(digest) = 64),
        person_id UUID NOT NULL REFERENCES person (id),
        api_token_id UUID REFERENCES api_token (id),
        roles text NOT NULL,
        created_at bigint NOT NULL,
        expires_at bigint NOT NULL CHECK (expires_at > created_at),
        CHECK (api_token_id IS NULL OR roles = '')
    )",
    "CREATE INDEX session_expires ON session (expires_at)",
];

/// It ends by being deleted, and is never stretched or widened.
const TERMS: Refusal = Refusal {
    table: "session",
    name: "terms",
    event: "UPDATE",
    when: "",
    message: "a session stays as it is until it ends",
};
