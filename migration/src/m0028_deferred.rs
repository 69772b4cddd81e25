//! On SQLite, what is written in bulk has its references checked when the transaction ends. Where they are checked by each
//! statement, SQLite must be able to take one of many rows back alone, and keeps a copy of each page that it changes: as much
//! work again as the rows of executions are.
//!
//! No row changes its form by this, so only the text of the tables does, in the way that SQLite gives for such a change
//! (<https://www.sqlite.org/lang_altertable.html#otheralter>): to copy the tables could take hours.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement};

use crate::dialect::{is_sqlite, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

/// Those that are written in bulk and refer to others.
const TABLES: [&str; 5] = ["execution", "execution_step", "execution_violation", "rollup", "rollup_series"];
/// Those that they refer to, by `id`.
const REFERRED_TO: [&str; 7] = ["process", "sop", "version", "team", "person", "execution", "rollup_series"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    // All of it or nothing, and on one connection.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !is_sqlite(manager) {
            return Ok(());
        }
        let deferred = REFERRED_TO.iter().fold("sql".to_owned(), |sql, table| {
            let reference = format!("REFERENCES {table} (id)");
            format!("replace({sql}, '{reference}', '{reference} DEFERRABLE INITIALLY DEFERRED')")
        });
        let tables = TABLES.map(|table| format!("'{table}'")).join(", ");
        let update = format!("UPDATE sqlite_schema SET sql = {deferred} WHERE type = 'table' AND name IN ({tables})");
        let next = format!("PRAGMA schema_version = {}", schema_version(manager).await? + 1);
        run(manager, &["PRAGMA writable_schema = ON", &update, &next, "PRAGMA writable_schema = RESET"]).await
    }
}

/// Other connections read the text of the tables again when this changes.
async fn schema_version(manager: &SchemaManager<'_>) -> Result<i64, DbErr> {
    let db = manager.get_connection();
    let ask = Statement::from_string(db.get_database_backend(), "PRAGMA schema_version");
    let row = db.query_one_raw(ask).await?.ok_or_else(|| DbErr::Custom("no schema_version".to_owned()))?;
    row.try_get_by_index(0)
}
