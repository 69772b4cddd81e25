//! Policies that are made and changed over the API: revisions, an end, and one for each kind, team and risk.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, CHANGES).await?;
        KEPT.create(manager).await
    }
}

const CHANGES: &[&str] = &[
    "ALTER TABLE policy ADD COLUMN requires_resolved_comments BOOL NOT NULL DEFAULT FALSE",
    "ALTER TABLE policy ADD COLUMN revision bigint NOT NULL DEFAULT 1",
    "ALTER TABLE policy ADD COLUMN updated_at bigint NOT NULL DEFAULT 0",
    "ALTER TABLE policy ADD COLUMN ended_at bigint",
    "CREATE UNIQUE INDEX policy_default ON policy (kind)
        WHERE ended_at IS NULL AND team_id IS NULL AND risk IS NULL",
    "CREATE UNIQUE INDEX policy_of_team ON policy (kind, team_id)
        WHERE ended_at IS NULL AND team_id IS NOT NULL AND risk IS NULL",
    "CREATE UNIQUE INDEX policy_of_risk ON policy (kind, risk)
        WHERE ended_at IS NULL AND team_id IS NULL AND risk IS NOT NULL",
    "CREATE UNIQUE INDEX policy_of_team_and_risk ON policy (kind, team_id, risk)
        WHERE ended_at IS NULL AND team_id IS NOT NULL AND risk IS NOT NULL",
    "UPDATE role SET permissions = 'DRAFT_READ SOP_MANAGE PROCESS_WRITE POLICY_MANAGE FIGURES_READ AUDIT_READ'
        WHERE name = 'manager'",
    "ALTER TABLE approval_request ADD COLUMN requires_resolved_comments BOOL NOT NULL DEFAULT FALSE",
];

const KEPT: Refusal =
    Refusal { table: "policy", name: "kept", event: "DELETE", when: "", message: "policies are kept" };
