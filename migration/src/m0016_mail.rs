//! Mail about events: which events were looked at, and how far each delivery is. A text never stands here, nor an
//! address: both are made of what is known when it is sent.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        for refusal in &REFUSALS {
            refusal.create(manager).await?;
        }
        Ok(())
    }
}

/// A delivery is waited with until `next_attempt_at`; while it is being tried, that is when others may take it up.
const TABLES: &[&str] = &[
    "CREATE TABLE mail_event (
        event_id UUID PRIMARY KEY REFERENCES event (id),
        queued_at bigint NOT NULL
    )",
    "CREATE TABLE mail_delivery (
        event_id UUID NOT NULL,
        person_id UUID NOT NULL,
        state text NOT NULL CHECK (state IN ('PENDING', 'SENT', 'FAILED', 'SKIPPED')),
        attempts integer NOT NULL CHECK (attempts >= 0),
        next_attempt_at bigint,
        last_error_kind text,
        settled_at bigint,
        PRIMARY KEY (event_id, person_id),
        FOREIGN KEY (event_id, person_id) REFERENCES event_recipient (event_id, person_id),
        CHECK ((state = 'PENDING') = (next_attempt_at IS NOT NULL)),
        CHECK ((state = 'PENDING') = (settled_at IS NULL)),
        CHECK (state <> 'FAILED' OR last_error_kind IS NOT NULL)
    )",
    "CREATE INDEX mail_delivery_due ON mail_delivery (next_attempt_at) WHERE state = 'PENDING'",
];

const REFUSALS: [Refusal; 2] = [
    Refusal {
        table: "mail_delivery",
        name: "settled",
        event: "UPDATE",
        when: "OLD.state <> 'PENDING'",
        message: "a delivery that is settled stays so",
    },
    Refusal { table: "mail_delivery", name: "kept", event: "DELETE", when: "", message: "deliveries are kept" },
];
