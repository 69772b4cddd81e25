//! The audit chain: append-only, with its head.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, insert_only, no_replace, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        insert_only(manager, "audit_entry", &["seq"]).await?;
        no_replace(manager, "audit_head", &["id"]).await?;
        for refusal in &REFUSALS {
            refusal.create(manager).await?;
        }
        Ok(())
    }
}

const TABLES: &[&str] = &[
    "CREATE TABLE audit_entry (
        seq bigint PRIMARY KEY,
        at bigint NOT NULL,
        actor_id UUID,
        via text NOT NULL CHECK (via IN ('API', 'IMPORT', 'CLOCK', 'CLI')),
        action text NOT NULL,
        object text NOT NULL,
        sop_id UUID,
        team_id UUID,
        old_value text NOT NULL,
        new_value text NOT NULL,
        reason text,
        request_id text NOT NULL,
        hash text NOT NULL
    )",
    "CREATE INDEX audit_entry_object ON audit_entry (object, seq)",
    "CREATE INDEX audit_entry_sop ON audit_entry (sop_id, seq)",
    "CREATE INDEX audit_entry_team ON audit_entry (team_id, seq)",
    "CREATE TABLE audit_head (
        id integer PRIMARY KEY CHECK (id = 1),
        seq bigint NOT NULL,
        hash text NOT NULL
    )",
    "INSERT INTO audit_head (id, seq, hash) VALUES
        (1, 0, '0000000000000000000000000000000000000000000000000000000000000000')",
];

const REFUSALS: [Refusal; 2] = [
    Refusal { table: "audit_head", name: "kept", event: "DELETE", when: "", message: "the head of the chain is kept" },
    Refusal {
        table: "audit_head",
        name: "forward",
        event: "UPDATE",
        when: "NEW.seq <= OLD.seq",
        message: "the chain only grows",
    },
];
