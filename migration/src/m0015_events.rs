//! The outbox: what happened, written in the transaction that caused it, and whom it concerns.

use sea_orm_migration::prelude::*;

use crate::dialect::{insert_only, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        insert_only(manager, "event", &["id"]).await?;
        insert_only(manager, "event_recipient", &["event_id", "person_id"]).await
    }
}

/// Kinds are not listed in a CHECK, as actions of the audit chain are not: others are to come. What a kind has to name
/// is checked by the kind. `nth` counts what repeats in a stage, from 1; the first of what happens once is 1, too.
const TABLES: &[&str] = &[
    "CREATE TABLE event (
        id UUID PRIMARY KEY,
        kind text NOT NULL CHECK (kind <> ''),
        at bigint NOT NULL,
        sop_id UUID REFERENCES sop (id),
        request_id UUID REFERENCES approval_request (id),
        stage integer,
        nth bigint CHECK (nth >= 1),
        comment_id UUID REFERENCES review_comment (id),
        data text NOT NULL,
        CHECK (kind NOT LIKE 'approval.%' OR
               (sop_id IS NOT NULL AND request_id IS NOT NULL AND stage IS NOT NULL AND nth IS NOT NULL)),
        CHECK (kind NOT LIKE 'comment.%' OR (sop_id IS NOT NULL AND comment_id IS NOT NULL)),
        FOREIGN KEY (request_id, stage) REFERENCES approval_stage (request_id, position)
    )",
    "CREATE UNIQUE INDEX event_once_in_stage ON event (request_id, stage, kind, nth) WHERE request_id IS NOT NULL",
    "CREATE UNIQUE INDEX event_once_of_comment ON event (comment_id, kind) WHERE comment_id IS NOT NULL",
    "CREATE INDEX event_at ON event (at, id)",
    "CREATE TABLE event_recipient (
        event_id UUID NOT NULL REFERENCES event (id),
        person_id UUID NOT NULL REFERENCES person (id),
        PRIMARY KEY (event_id, person_id)
    )",
    "CREATE INDEX event_recipient_person ON event_recipient (person_id, event_id)",
];
