//! Whom the actor of an audit entry stood in for.

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

/// Entries that are there stay as they are: a column that is added changes no row.
const TABLES: &[&str] = &["ALTER TABLE audit_entry ADD COLUMN on_behalf_of_id UUID"];
