//! What figures take from the version and the steps of a run: how the version that it reported stood when it started, and how
//! far it kept to the steps. The latter of what is stored already is found by the service when it starts.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, EXECUTION).await
    }
}

const EXECUTION: &[&str] = &[
    "ALTER TABLE execution ADD COLUMN version_standing text CHECK (version_standing IN ('CURRENT', 'OTHER'))",
    "ALTER TABLE execution ADD COLUMN step_checks integer CHECK (step_checks > 0)",
    "ALTER TABLE execution ADD COLUMN step_deviations integer
        CHECK ((step_deviations IS NULL) = (step_checks IS NULL) AND step_deviations BETWEEN 0 AND step_checks)",
    "UPDATE execution SET version_standing = (
            SELECT CASE WHEN version.id = execution.version_id THEN 'CURRENT' ELSE 'OTHER' END FROM version
            WHERE version.sop_id = execution.sop_id
                AND version.published_at <= COALESCE(execution.started_at, execution.finished_at, execution.occurred_at)
                AND (version.ended_at IS NULL
                    OR version.ended_at > COALESCE(execution.started_at, execution.finished_at, execution.occurred_at))
            ORDER BY version.published_at DESC LIMIT 1)
        WHERE version_source = 'REPORTED'",
];
