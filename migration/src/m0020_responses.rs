//! What was chosen to be done about what a diagnosis found, with the figures as they were then.

use sea_orm_migration::prelude::*;

use crate::dialect::{insert_only, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        insert_only(manager, "diagnosis_response", &["id"]).await
    }
}

const TABLES: &[&str] = &[
    "CREATE TABLE diagnosis_response (
        id UUID PRIMARY KEY,
        sop_id UUID NOT NULL REFERENCES sop (id),
        version_id UUID NOT NULL REFERENCES version (id),
        finding text NOT NULL CHECK (finding IN ('LOW_ADOPTION', 'BAD_OUTCOMES', 'TROUBLED_STEP', 'INCONSISTENT')),
        step_key text,
        response text NOT NULL
            CHECK (response IN ('COMMUNICATE', 'TRAIN', 'REVISE', 'REWRITE_STEP', 'ALIGN_TEAMS', 'WATCH')),
        note text NOT NULL,
        figures text NOT NULL,
        created_by_id UUID NOT NULL REFERENCES person (id),
        created_at bigint NOT NULL,
        CHECK ((finding = 'TROUBLED_STEP') = (step_key IS NOT NULL))
    )",
    "CREATE INDEX diagnosis_response_sop ON diagnosis_response (sop_id, created_at)",
];
