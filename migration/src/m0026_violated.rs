//! What finds the runs with violations of a time, and what they are runs of: there are few of them among all. Nothing is
//! kept of a run without any.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &[INDEX]).await
    }
}

const INDEX: &str = "CREATE INDEX execution_violated ON execution
    (COALESCE(started_at, finished_at, received_at), id, process_id, sop_id, version_id, team_id)
    WHERE violations > 0 AND mode <> 'PRACTICE'";
