//! Roll-ups: what figures are read from. `rollup_delta` takes what changed, in the transaction that changed it;
//! `rollup` has the sums by hour, day and month, counters apart from histograms, of each `rollup_series`.

use sea_orm_migration::prelude::*;

use crate::dialect::{run, run_with_types};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, EXECUTION).await?;
        run_with_types(manager, TABLES).await
    }
}

const EXECUTION: &[&str] = &[
    "ALTER TABLE execution ADD COLUMN major_violations integer NOT NULL DEFAULT 0",
    "ALTER TABLE execution ADD COLUMN critical_violations integer NOT NULL DEFAULT 0",
    "UPDATE execution SET
        major_violations = (SELECT COUNT(*) FROM execution_violation v
            WHERE v.execution_id = execution.id AND v.severity = 'MAJOR'),
        critical_violations = (SELECT COUNT(*) FROM execution_violation v
            WHERE v.execution_id = execution.id AND v.severity = 'CRITICAL')
        WHERE violations > 0",
    // A run belongs to the time of its start, else of its finish.
    "CREATE INDEX execution_cohort ON execution (COALESCE(started_at, finished_at, received_at))",
    "CREATE INDEX execution_open ON execution (started_at) WHERE finished_at IS NULL AND outcome IS NULL",
    "DROP INDEX execution_started",
];

const TABLES: &[&str] = &[
    // What the kept sums are of, and how far they agree with the executions. Compaction holds the one row.
    "CREATE TABLE rollup_state (
        id integer PRIMARY KEY CHECK (id = 1),
        layout integer NOT NULL,
        time_zone text NOT NULL,
        checked_at bigint,
        drift bigint NOT NULL CHECK (drift >= 0)
    )",
    "INSERT INTO rollup_state (id, layout, time_zone, drift) VALUES (1, 0, 'UTC', 0)",
    "CREATE TABLE rollup_delta (
        id IDENTITY_KEY,
        changes BYTES NOT NULL
    )",
    "CREATE TABLE rollup_series (
        id UUID PRIMARY KEY,
        scope text NOT NULL CHECK (scope IN ('ALL', 'VERSION', 'TEAM', 'KEY')),
        process_id UUID REFERENCES process (id),
        sop_id UUID REFERENCES sop (id),
        version_id UUID REFERENCES version (id),
        team_id UUID REFERENCES team (id),
        CHECK ((process_id IS NULL) = (scope IN ('ALL', 'TEAM'))),
        CHECK (scope IN ('VERSION', 'KEY') OR (sop_id IS NULL AND version_id IS NULL)),
        CHECK (scope IN ('TEAM', 'KEY') OR team_id IS NULL)
    )",
    "CREATE INDEX rollup_series_sop ON rollup_series (sop_id, scope)",
    "CREATE INDEX rollup_series_process ON rollup_series (process_id, scope)",
    "CREATE TABLE rollup (
        series_id UUID NOT NULL REFERENCES rollup_series (id),
        grain text NOT NULL CHECK (grain IN ('HOUR', 'DAY', 'MONTH')),
        start_at bigint NOT NULL,
        tally BYTES NOT NULL,
        completed BYTES NOT NULL,
        abandoned BYTES NOT NULL,
        PRIMARY KEY (series_id, grain, start_at)
    ) CLUSTERED",
];
