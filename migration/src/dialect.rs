//! The few places where the two databases speak differently.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// Runs statements, written once: `UUID` stands for the type of an id, `BOOL` for a flag.
pub async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let db = manager.get_connection();
    for statement in statements {
        let sql = match db.get_database_backend() {
            DbBackend::Sqlite => statement.replace(" UUID", " blob").replace(" BOOL", " boolean"),
            _ => statement.replace(" UUID", " uuid").replace(" BOOL", " boolean"),
        };
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Runs statements as [`run`] does, in which besides `IDENTITY_KEY` stands for the type of a key that counts up by itself,
/// `BYTES` for that of bytes, and `CLUSTERED` for what keeps the rows of a table in the order of its key, where that can be
/// had.
pub async fn run_with_types(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let (id, bytes, clustered) = if is_sqlite(manager) {
        ("integer PRIMARY KEY AUTOINCREMENT", "blob", "WITHOUT ROWID")
    } else {
        ("bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "bytea", "")
    };
    let fill = |sql: &&str| sql.replace("IDENTITY_KEY", id).replace("BYTES", bytes).replace("CLUSTERED", clustered);
    let filled: Vec<String> = statements.iter().map(fill).collect();
    run(manager, &filled.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// Whether the database is SQLite.
pub fn is_sqlite(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::Sqlite
}

/// A trigger that refuses a statement on a table, row by row, with a message.
pub struct Refusal {
    /// The table.
    pub table: &'static str,
    /// Names the trigger together with the table.
    pub name: &'static str,
    /// `INSERT`, `DELETE`, `UPDATE` or `UPDATE OF column, ...`.
    pub event: &'static str,
    /// When it refuses; always when empty.
    pub when: &'static str,
    /// What the refused one is told.
    pub message: &'static str,
}

impl Refusal {
    /// Makes the trigger.
    pub async fn create(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let Self { table, name, event, when, message } = self;
        let when = if when.is_empty() { String::new() } else { format!("WHEN ({when})") };
        let trigger = format!("{table}_{name}");
        let statements = if is_sqlite(manager) {
            vec![format!(
                "CREATE TRIGGER {trigger} BEFORE {event} ON {table} FOR EACH ROW {when} \
                 BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )]
        } else {
            vec![
                format!(
                    "CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS \
                     $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END $$"
                ),
                format!(
                    "CREATE TRIGGER {trigger} BEFORE {event} ON {table} FOR EACH ROW {when} \
                     EXECUTE FUNCTION {trigger}()"
                ),
            ]
        };
        run(manager, &statements.iter().map(String::as_str).collect::<Vec<_>>()).await
    }
}

/// Makes a table insert-only: what stands in it stays as it is.
pub async fn insert_only(manager: &SchemaManager<'_>, table: &'static str, key: &[&str]) -> Result<(), DbErr> {
    for (name, event) in [("no_update", "UPDATE"), ("no_delete", "DELETE")] {
        Refusal { table, name, event, when: "", message: "this table is insert-only" }.create(manager).await?;
    }
    if is_sqlite(manager) {
        return no_replace(manager, table, key).await;
    }
    let truncate =
        format!("CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {table}_no_delete()");
    run(manager, &[&truncate]).await
}

/// On SQLite, refuses an INSERT of a key that exists: `INSERT OR REPLACE` deletes without firing triggers on DELETE.
/// PostgreSQL has no such statement.
pub async fn no_replace(manager: &SchemaManager<'_>, table: &'static str, key: &[&str]) -> Result<(), DbErr> {
    if !is_sqlite(manager) {
        return Ok(());
    }
    let same = key.iter().map(|column| format!("{column} = NEW.{column}")).collect::<Vec<_>>().join(" AND ");
    let trigger = format!(
        "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} FOR EACH ROW \
         WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) BEGIN SELECT RAISE(ABORT, 'this table is insert-only for rows that exist'); END"
    );
    run(manager, &[&trigger]).await
}
