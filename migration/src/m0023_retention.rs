//! What is left of executions that were deleted because they were old enough: their names, so that none comes into being a
//! second time, and what figures take from them.

use sea_orm_migration::prelude::*;

use crate::dialect::{insert_only, run_with_types};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_with_types(manager, CHANGES).await?;
        insert_only(manager, "execution_expired", &["source", "run_id"]).await?;
        insert_only(manager, "rollup_expired", &["id"]).await
    }
}

const CHANGES: &[&str] = &[
    // Executions from before this time may be gone. It only ever moves forward; null while none was ever deleted.
    "ALTER TABLE rollup_state ADD COLUMN kept_from bigint",
    "CREATE TABLE execution_expired (
        source text NOT NULL,
        run_id text NOT NULL,
        PRIMARY KEY (source, run_id)
    ) CLUSTERED",
    // Sums of deleted executions by parts of an hour, in the form of `rollup_delta`, and the hour of UTC that they lie in.
    "CREATE TABLE rollup_expired (
        id IDENTITY_KEY,
        hour_at bigint NOT NULL,
        sums BYTES NOT NULL
    )",
    "CREATE INDEX rollup_expired_hour ON rollup_expired (hour_at)",
];
