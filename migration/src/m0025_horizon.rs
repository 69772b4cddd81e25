//! After how long a run that has not finished counts as abandoned, in microseconds: of a process, and of a run, which keeps the
//! one under which it ended. Null stands for 30 days, as it was for all before.

use sea_orm_migration::prelude::*;

use crate::dialect::{is_sqlite, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, CHANGES).await?;
        if is_sqlite(manager) {
            return run(manager, &[&format!("{EXECUTION} {BOUNDS}")]).await;
        }
        // All that is there is null: nothing has to be read to know that it is right.
        let bounds = format!("ALTER TABLE execution ADD CONSTRAINT execution_horizon_check {BOUNDS} NOT VALID");
        run(manager, &[EXECUTION, &bounds]).await
    }
}

const CHANGES: &[&str] = &[
    // From an hour to 366 days.
    "ALTER TABLE process ADD COLUMN horizon bigint CHECK (horizon BETWEEN 3600000000 AND 31622400000000)",
    // Every question for figures asks for the longest.
    "CREATE INDEX process_horizon ON process (horizon) WHERE horizon IS NOT NULL",
];

const EXECUTION: &str = "ALTER TABLE execution ADD COLUMN horizon bigint";
const BOUNDS: &str = "CHECK (horizon BETWEEN 3600000000 AND 31622400000000)";
