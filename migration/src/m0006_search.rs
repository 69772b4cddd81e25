//! Full-text search over what is published: FTS5 on SQLite, a weighted tsvector on PostgreSQL.

use sea_orm_migration::prelude::*;

use crate::dialect::{is_sqlite, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, if is_sqlite(manager) { SQLITE } else { POSTGRES }).await
    }
}

const SQLITE: &[&str] = &["CREATE VIRTUAL TABLE search_document USING fts5(
        sop_id UNINDEXED, title, symptoms, tools, body, tokenize = 'porter unicode61'
    )"];

const POSTGRES: &[&str] = &[
    "CREATE TABLE search_document (
        sop_id UUID PRIMARY KEY REFERENCES sop (id),
        title text NOT NULL,
        symptoms text NOT NULL,
        tools text NOT NULL,
        body text NOT NULL,
        words tsvector NOT NULL GENERATED ALWAYS AS (
            setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', symptoms), 'B') ||
            setweight(to_tsvector('english', tools), 'C') || setweight(to_tsvector('english', body), 'D')
        ) STORED
    )",
    "CREATE INDEX search_document_words ON search_document USING gin (words)",
];
