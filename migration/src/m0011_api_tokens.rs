//! API tokens. What is stored of the secret is its SHA-256, in lower-case hex.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, no_replace, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        no_replace(manager, "api_token", &["id"]).await?;
        for refusal in &REFUSALS {
            refusal.create(manager).await?;
        }
        Ok(())
    }
}

const TABLES: &[&str] = &[
    "CREATE TABLE api_token (
        id UUID PRIMARY KEY,
        person_id UUID NOT NULL UNIQUE REFERENCES person (id),
        name text NOT NULL,
        source text NOT NULL CHECK (source <> ''),
        scopes text NOT NULL CHECK (scopes <> ''),
        team_id UUID REFERENCES team (id),
        digest text NOT NULL UNIQUE CHECK (length(digest) = 64),
        created_by_id UUID NOT NULL REFERENCES person (id),
        created_at bigint NOT NULL,
        expires_at bigint NOT NULL CHECK (expires_at > created_at),
        revoked_by_id UUID REFERENCES person (id),
        revoked_at bigint,
        last_used_at bigint,
        CHECK ((revoked_at IS NULL) = (revoked_by_id IS NULL))
    )",
    "CREATE INDEX api_token_created ON api_token (created_at, id)",
    "CREATE INDEX api_token_source ON api_token (source)",
];

const REFUSALS: [Refusal; 3] = [
    Refusal { table: "api_token", name: "kept", event: "DELETE", when: "", message: "tokens are kept" },
    Refusal {
        table: "api_token",
        name: "terms",
        event: "UPDATE OF id, person_id, name, source, scopes, team_id, digest, created_by_id, created_at, expires_at",
        when: "",
        message: "the terms of a token stay as they are",
    },
    Refusal {
        table: "api_token",
        name: "revoked",
        event: "UPDATE OF revoked_at, revoked_by_id",
        when: "OLD.revoked_at IS NOT NULL",
        message: "a token that was taken away stays away",
    },
];
