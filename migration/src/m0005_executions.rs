//! Executions, their steps and violations, and the permanent record of every event that was taken.

use sea_orm_migration::prelude::*;

use crate::dialect::{insert_only, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        insert_only(manager, "execution_event", &["source", "event_id"]).await
    }
}

const TABLES: &[&str] = &[
    "CREATE TABLE execution (
        id UUID PRIMARY KEY,
        source text NOT NULL,
        run_id text NOT NULL,
        mode text NOT NULL CHECK (mode IN ('LIVE', 'BACKFILL', 'PRACTICE')),
        process_id UUID NOT NULL REFERENCES process (id),
        sop_id UUID REFERENCES sop (id),
        version_id UUID REFERENCES version (id),
        version_source text CHECK (version_source IN ('REPORTED', 'INFERRED')),
        team_id UUID REFERENCES team (id),
        actor_id UUID REFERENCES person (id),
        started_at bigint,
        finished_at bigint,
        occurred_at bigint,
        received_at bigint NOT NULL,
        clock_lead bigint NOT NULL,
        outcome text CHECK (outcome IN ('SUCCEEDED', 'FAILED', 'ABANDONED')),
        adherence text NOT NULL CHECK (adherence IN ('FOLLOWED', 'DEVIATED', 'NOT_FOLLOWED', 'UNKNOWN')),
        errors integer NOT NULL CHECK (errors >= 0),
        rework integer NOT NULL CHECK (rework >= 0),
        violations integer NOT NULL CHECK (violations >= 0),
        satisfaction integer CHECK (satisfaction BETWEEN 1 AND 5),
        satisfaction_by text CHECK (satisfaction_by IN ('CUSTOMER', 'PERFORMER')),
        attributes text NOT NULL,
        facts text NOT NULL,
        CHECK ((version_id IS NULL) = (version_source IS NULL)),
        UNIQUE (source, run_id)
    )",
    "CREATE INDEX execution_process ON execution (process_id, started_at)",
    "CREATE INDEX execution_sop ON execution (sop_id, started_at)",
    "CREATE INDEX execution_started ON execution (started_at)",
    "CREATE TABLE execution_event (
        source text NOT NULL,
        event_id text NOT NULL,
        fingerprint text NOT NULL,
        run_id text NOT NULL,
        occurred_at bigint,
        received_at bigint NOT NULL,
        PRIMARY KEY (source, event_id)
    )",
    "CREATE TABLE execution_violation (
        execution_id UUID NOT NULL REFERENCES execution (id),
        position integer NOT NULL,
        kind text NOT NULL,
        severity text NOT NULL CHECK (severity IN ('MINOR', 'MAJOR', 'CRITICAL')),
        detail text NOT NULL,
        detected_by text NOT NULL CHECK (detected_by IN ('SOURCE', 'SERVICE')),
        PRIMARY KEY (execution_id, position)
    )",
    "CREATE TABLE execution_step (
        execution_id UUID NOT NULL REFERENCES execution (id),
        key text NOT NULL,
        attempt integer NOT NULL,
        started_at bigint,
        finished_at bigint,
        status text NOT NULL CHECK (status IN ('DONE', 'SKIPPED', 'FAILED')),
        PRIMARY KEY (execution_id, key, attempt)
    )",
];
