//! Decisions on behalf of others, decisions that are taken back, accounts of one person, and whose voice is heard.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, is_sqlite, no_replace, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        if !is_sqlite(manager) {
            // They are the functions of triggers that went with the table.
            run(manager, &["DROP FUNCTION approval_decision_no_update", "DROP FUNCTION approval_decision_no_delete"])
                .await?;
        }
        run(manager, AFTER).await?;
        no_replace(manager, "approval_decision", &["id"]).await?;
        for refusal in &REFUSALS {
            refusal.create(manager).await?;
        }
        if !is_sqlite(manager) {
            let truncate = "CREATE TRIGGER approval_decision_no_truncate BEFORE TRUNCATE ON approval_decision \
                EXECUTE FUNCTION approval_decision_kept()";
            run(manager, &[truncate]).await?;
        }
        Ok(())
    }
}

/// SQLite cannot drop a constraint, so the table of decisions is made anew on both.
const TABLES: &[&str] = &[
    "CREATE TABLE delegation (
        id UUID PRIMARY KEY,
        from_id UUID NOT NULL REFERENCES person (id),
        to_id UUID NOT NULL REFERENCES person (id),
        role text NOT NULL,
        team_id UUID REFERENCES team (id),
        reason text NOT NULL,
        starts_at bigint NOT NULL,
        ends_at bigint NOT NULL,
        created_at bigint NOT NULL,
        revoked_at bigint,
        revoked_by_id UUID REFERENCES person (id),
        CHECK (from_id <> to_id),
        CHECK (ends_at > starts_at),
        CHECK ((revoked_at IS NULL) = (revoked_by_id IS NULL))
    )",
    "CREATE INDEX delegation_to ON delegation (to_id, ends_at)",
    "CREATE INDEX delegation_from ON delegation (from_id, created_at)",
    "CREATE TABLE decision_anew (
        id UUID PRIMARY KEY,
        request_id UUID NOT NULL REFERENCES approval_request (id),
        position integer NOT NULL,
        person_id UUID NOT NULL REFERENCES person (id),
        on_behalf_of_id UUID REFERENCES person (id),
        delegation_id UUID REFERENCES delegation (id),
        verdict text NOT NULL CHECK (verdict IN ('APPROVE', 'REJECT')),
        content_hash text NOT NULL REFERENCES content (hash),
        comment text NOT NULL,
        via text NOT NULL CHECK (via IN ('API', 'IMPORT')),
        decided_at bigint NOT NULL,
        auth_time bigint,
        withdrawn_at bigint,
        FOREIGN KEY (request_id, position) REFERENCES approval_stage (request_id, position),
        CHECK ((on_behalf_of_id IS NULL) = (delegation_id IS NULL)),
        CHECK (on_behalf_of_id <> person_id),
        CHECK (verdict = 'APPROVE' OR withdrawn_at IS NULL)
    )",
    "INSERT INTO decision_anew (id, request_id, position, person_id, verdict, content_hash, comment, via, decided_at)
        SELECT id, request_id, position, person_id, verdict, content_hash, comment, via, decided_at
        FROM approval_decision",
    "DROP TABLE approval_decision",
];

/// `approval_voice` has a row for each person, by the first of their accounts, who has a part in a decision that
/// stands: who took it, and in whose place. So nobody is heard twice in a request, whatever runs at the same time.
const AFTER: &[&str] = &[
    "ALTER TABLE decision_anew RENAME TO approval_decision",
    "CREATE INDEX approval_decision_request ON approval_decision (request_id, decided_at)",
    "CREATE UNIQUE INDEX approval_decision_standing ON approval_decision (request_id, person_id)
        WHERE withdrawn_at IS NULL",
    "CREATE TABLE approval_voice (
        request_id UUID NOT NULL REFERENCES approval_request (id),
        person_id UUID NOT NULL REFERENCES person (id),
        decision_id UUID NOT NULL REFERENCES approval_decision (id),
        PRIMARY KEY (request_id, person_id)
    )",
    "CREATE INDEX approval_voice_decision ON approval_voice (decision_id)",
    "INSERT INTO approval_voice (request_id, person_id, decision_id)
        SELECT request_id, person_id, id FROM approval_decision",
    "CREATE TABLE person_email (
        person_id UUID NOT NULL REFERENCES person (id),
        email text NOT NULL,
        created_at bigint NOT NULL,
        PRIMARY KEY (person_id, email)
    )",
    "CREATE INDEX person_email_email ON person_email (email)",
    "INSERT INTO person_email (person_id, email, created_at)
        SELECT id, lower(trim(email)), updated_at FROM person WHERE email_verified AND email IS NOT NULL",
];

const REFUSALS: [Refusal; 6] = [
    Refusal { table: "approval_decision", name: "kept", event: "DELETE", when: "", message: "decisions are kept" },
    Refusal {
        table: "approval_decision",
        name: "said",
        event: "UPDATE OF id, request_id, position, person_id, on_behalf_of_id, delegation_id, verdict, content_hash, \
                comment, via, decided_at, auth_time",
        when: "",
        message: "a decision says what it said",
    },
    Refusal {
        table: "approval_decision",
        name: "withdrawn",
        event: "UPDATE OF withdrawn_at",
        when: "OLD.withdrawn_at IS NOT NULL OR NEW.withdrawn_at IS NULL",
        message: "a decision is taken back once",
    },
    // Addresses are not moved from one to another, but can be erased with what else is known of a person.
    Refusal {
        table: "person_email",
        name: "said",
        event: "UPDATE",
        when: "",
        message: "an address stays whose it was",
    },
    Refusal { table: "delegation", name: "kept", event: "DELETE", when: "", message: "delegations are kept" },
    Refusal {
        table: "delegation",
        name: "said",
        event: "UPDATE OF id, from_id, to_id, role, team_id, reason, starts_at, ends_at, created_at",
        when: "",
        message: "a delegation says what it said",
    },
];
