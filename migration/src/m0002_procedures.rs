//! Processes, SOPs, versions and their content, with the invariants of the lifecycle.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, insert_only, no_replace, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        insert_only(manager, "content", &["hash"]).await?;
        no_replace(manager, "version", &["id"]).await?;
        no_replace(manager, "sop", &["id"]).await?;
        for refusal in &REFUSALS {
            refusal.create(manager).await?;
        }
        Ok(())
    }
}

const TABLES: &[&str] = &[
    "CREATE TABLE process (
        id UUID PRIMARY KEY,
        key text NOT NULL UNIQUE,
        name text NOT NULL,
        description text NOT NULL,
        owner_id UUID REFERENCES person (id),
        team_id UUID REFERENCES team (id),
        revision bigint NOT NULL,
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL
    )",
    "CREATE INDEX process_team ON process (team_id)",
    "CREATE TABLE content (
        hash text PRIMARY KEY,
        document text NOT NULL,
        created_at bigint NOT NULL
    )",
    "CREATE TABLE sop (
        id UUID PRIMARY KEY,
        code text NOT NULL UNIQUE,
        title text NOT NULL,
        process_id UUID NOT NULL REFERENCES process (id),
        team_id UUID NOT NULL REFERENCES team (id),
        owner_id UUID NOT NULL REFERENCES person (id),
        risk text NOT NULL CHECK (risk IN ('LOW', 'MEDIUM', 'HIGH')),
        review_cadence_months integer NOT NULL CHECK (review_cadence_months IN (3, 6, 12)),
        state text NOT NULL CHECK (state IN ('DRAFT', 'IN_REVIEW', 'PUBLISHED', 'RETIRED')),
        was_published BOOL NOT NULL,
        successor_id UUID REFERENCES sop (id),
        revision bigint NOT NULL,
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL
    )",
    "CREATE UNIQUE INDEX sop_one_per_process ON sop (process_id) WHERE state <> 'RETIRED'",
    "CREATE INDEX sop_team ON sop (team_id)",
    "CREATE INDEX sop_owner ON sop (owner_id)",
    "CREATE INDEX sop_title ON sop (title, id)",
    "CREATE INDEX sop_updated ON sop (updated_at, id)",
    "CREATE TABLE version (
        id UUID PRIMARY KEY,
        sop_id UUID NOT NULL REFERENCES sop (id),
        state text NOT NULL CHECK (state IN
            ('DRAFT', 'IN_REVIEW', 'APPROVED', 'PUBLISHED', 'SUPERSEDED', 'RETIRED', 'DISCARDED')),
        kind text NOT NULL CHECK (kind IN ('MATERIAL', 'EDITORIAL')),
        major integer,
        minor integer,
        content_hash text NOT NULL REFERENCES content (hash),
        title text NOT NULL,
        effective_at bigint,
        based_on_id UUID REFERENCES version (id),
        revision bigint NOT NULL,
        reason text,
        created_by_id UUID NOT NULL REFERENCES person (id),
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        submitted_at bigint,
        published_at bigint,
        ended_at bigint,
        CHECK ((major IS NULL) = (minor IS NULL)),
        CHECK (state NOT IN ('IN_REVIEW', 'APPROVED', 'PUBLISHED', 'SUPERSEDED', 'RETIRED') OR major IS NOT NULL)
    )",
    "CREATE UNIQUE INDEX version_one_open ON version (sop_id) WHERE state IN ('DRAFT', 'IN_REVIEW', 'APPROVED')",
    "CREATE UNIQUE INDEX version_one_published ON version (sop_id) WHERE state = 'PUBLISHED'",
    "CREATE UNIQUE INDEX version_label ON version (sop_id, major, minor) WHERE state <> 'DISCARDED'",
    "CREATE INDEX version_sop ON version (sop_id)",
    "CREATE INDEX version_due ON version (effective_at) WHERE state = 'APPROVED'",
    "CREATE TABLE version_contributor (
        version_id UUID NOT NULL REFERENCES version (id),
        person_id UUID NOT NULL REFERENCES person (id),
        PRIMARY KEY (version_id, person_id)
    )",
];

const REFUSALS: [Refusal; 6] = [
    Refusal {
        table: "version",
        name: "frozen",
        event: "UPDATE OF content_hash, kind, effective_at, title",
        when: "OLD.state <> 'DRAFT'",
        message: "content changes only in DRAFT",
    },
    Refusal {
        table: "version",
        name: "transition",
        event: "UPDATE OF state",
        when: "OLD.state <> NEW.state AND (OLD.state || '>' || NEW.state) NOT IN (
            'DRAFT>IN_REVIEW', 'DRAFT>DISCARDED', 'IN_REVIEW>DRAFT', 'IN_REVIEW>APPROVED', 'IN_REVIEW>PUBLISHED',
            'APPROVED>PUBLISHED', 'APPROVED>DISCARDED', 'PUBLISHED>SUPERSEDED', 'PUBLISHED>RETIRED')",
        message: "no such transition of a version",
    },
    Refusal { table: "version", name: "kept", event: "DELETE", when: "", message: "versions are kept" },
    Refusal { table: "sop", name: "kept", event: "DELETE", when: "", message: "SOPs are kept" },
    Refusal {
        table: "version_contributor",
        name: "kept",
        event: "DELETE",
        when: "",
        message: "who contributed stays on record",
    },
    Refusal {
        table: "sop",
        name: "code",
        event: "UPDATE OF code",
        when: "OLD.code <> NEW.code",
        message: "a code is never reused",
    },
];
