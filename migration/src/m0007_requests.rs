//! Idempotency keys of mutations that create, and what imports took from which file.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await
    }
}

const TABLES: &[&str] = &[
    "CREATE TABLE idempotency (
        person_id UUID NOT NULL REFERENCES person (id),
        operation text NOT NULL,
        key text NOT NULL,
        fingerprint text NOT NULL,
        object UUID NOT NULL,
        created_at bigint NOT NULL,
        PRIMARY KEY (person_id, operation, key)
    )",
    "CREATE INDEX idempotency_created ON idempotency (created_at)",
    "CREATE TABLE import_document (
        process_id UUID PRIMARY KEY REFERENCES process (id),
        path text NOT NULL,
        digest text NOT NULL,
        sop_id UUID NOT NULL REFERENCES sop (id),
        imported_at bigint NOT NULL
    )",
];
