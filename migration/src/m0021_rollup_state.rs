//! How often the roll-ups were computed anew, who compares them now, and what finds the last record of each source.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, CHANGES).await
    }
}

const CHANGES: &[&str] = &[
    // A comparison that began before says nothing of what is there now.
    "ALTER TABLE rollup_state ADD COLUMN builds bigint NOT NULL DEFAULT 0",
    // Since when one of the replicas is at the daily comparison.
    "ALTER TABLE rollup_state ADD COLUMN claimed_at bigint",
    "CREATE INDEX execution_source ON execution (source, received_at)",
];
