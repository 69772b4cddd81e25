//! Policies, approval requests, their stages and decisions.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, insert_only, is_sqlite, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        insert_only(manager, "approval_decision", &["id"]).await?;
        for refusal in &REFUSALS {
            refusal.create(manager).await?;
        }
        for (n, kind, stages) in BUILT_IN {
            // Ids of version 7 that never change, so that they read the same in every deployment.
            let id = format!("01900000-0000-7000-8000-00000000000{n}");
            let id = if is_sqlite(manager) { format!("X'{}'", id.replace('-', "")) } else { format!("'{id}'") };
            let policy = format!(
                "INSERT INTO policy (id, kind, stages, built_in, created_at) VALUES ({id}, '{kind}', '{stages}', TRUE, 0)"
            );
            run(manager, &[&policy]).await?;
        }
        Ok(())
    }
}

/// One reviewer, then one approver, for material changes; one approver for editorial ones and for retirements.
const BUILT_IN: [(u8, &str, &str); 3] = [
    (
        1,
        "MATERIAL",
        r#"[{"name":"Review","role":"reviewer","minApprovals":1,"scope":"TEAM","meaning":"REVIEWED"},{"name":"Approval","role":"approver","minApprovals":1,"scope":"TEAM","meaning":"APPROVED"}]"#,
    ),
    (2, "EDITORIAL", r#"[{"name":"Approval","role":"approver","minApprovals":1,"scope":"TEAM","meaning":"APPROVED"}]"#),
    (
        3,
        "RETIREMENT",
        r#"[{"name":"Approval","role":"approver","minApprovals":1,"scope":"TEAM","meaning":"APPROVED"}]"#,
    ),
];

const TABLES: &[&str] = &[
    "CREATE TABLE policy (
        id UUID PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('MATERIAL', 'EDITORIAL', 'RETIREMENT')),
        team_id UUID REFERENCES team (id),
        risk text CHECK (risk IN ('LOW', 'MEDIUM', 'HIGH')),
        stages text NOT NULL,
        built_in BOOL NOT NULL,
        created_at bigint NOT NULL
    )",
    "CREATE TABLE approval_request (
        id UUID PRIMARY KEY,
        sop_id UUID NOT NULL REFERENCES sop (id),
        version_id UUID REFERENCES version (id),
        policy_id UUID NOT NULL REFERENCES policy (id),
        content_hash text NOT NULL REFERENCES content (hash),
        label text,
        reason text,
        successor_id UUID REFERENCES sop (id),
        state text NOT NULL CHECK (state IN ('OPEN', 'APPROVED', 'REJECTED', 'WITHDRAWN')),
        stage integer NOT NULL,
        requested_by_id UUID NOT NULL REFERENCES person (id),
        opened_at bigint NOT NULL,
        closed_at bigint,
        CHECK ((state = 'OPEN') = (closed_at IS NULL))
    )",
    "CREATE UNIQUE INDEX approval_request_one_open ON approval_request (sop_id) WHERE state = 'OPEN'",
    "CREATE INDEX approval_request_sop ON approval_request (sop_id)",
    "CREATE INDEX approval_request_version ON approval_request (version_id)",
    "CREATE INDEX approval_request_open ON approval_request (opened_at) WHERE state = 'OPEN'",
    "CREATE TABLE approval_stage (
        request_id UUID NOT NULL REFERENCES approval_request (id),
        position integer NOT NULL,
        name text NOT NULL,
        role text NOT NULL,
        min_approvals integer NOT NULL CHECK (min_approvals > 0),
        scope text NOT NULL CHECK (scope IN ('TEAM', 'ANYONE')),
        meaning text NOT NULL CHECK (meaning IN ('REVIEWED', 'APPROVED', 'VERIFIED_COMPLIANCE')),
        max_auth_age bigint,
        opened_at bigint,
        closed_at bigint,
        PRIMARY KEY (request_id, position)
    )",
    "CREATE TABLE approval_decision (
        id UUID PRIMARY KEY,
        request_id UUID NOT NULL REFERENCES approval_request (id),
        position integer NOT NULL,
        person_id UUID NOT NULL REFERENCES person (id),
        verdict text NOT NULL CHECK (verdict IN ('APPROVE', 'REJECT')),
        content_hash text NOT NULL REFERENCES content (hash),
        comment text NOT NULL,
        via text NOT NULL CHECK (via IN ('API', 'IMPORT')),
        decided_at bigint NOT NULL,
        UNIQUE (request_id, person_id),
        FOREIGN KEY (request_id, position) REFERENCES approval_stage (request_id, position)
    )",
];

const REFUSALS: [Refusal; 4] = [
    Refusal {
        table: "approval_request",
        name: "closed",
        event: "UPDATE",
        when: "OLD.state <> 'OPEN'",
        message: "a closed request stays as it is",
    },
    Refusal { table: "approval_stage", name: "kept", event: "DELETE", when: "", message: "stages are kept" },
    Refusal { table: "approval_request", name: "kept", event: "DELETE", when: "", message: "requests are kept" },
    Refusal {
        table: "approval_stage",
        name: "snapshot",
        event: "UPDATE OF name, role, min_approvals, scope, meaning, max_auth_age",
        when: "",
        message: "the snapshot of a policy stays as it is",
    },
];
