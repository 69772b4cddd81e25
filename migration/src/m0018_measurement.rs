//! What versions are measured by: the plan and its targets, which change only while the version is a draft, and the
//! figures of before, as they were when it took effect.

use sea_orm_migration::prelude::*;

use crate::dialect::{insert_only, is_sqlite, no_replace, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        insert_only(manager, "measurement_baseline", &["version_id", "metric"]).await?;
        for table in ["measurement_plan", "measurement_target"] {
            only_of_drafts(manager, table).await?;
        }
        no_replace(manager, "measurement_plan", &["version_id"]).await?;
        no_replace(manager, "measurement_target", &["version_id", "metric"]).await
    }
}

/// A baseline of `COMPLETION_TIME` has the median of `denominator` runs, `numerator` of which were completed while they
/// were watched; any other has a share.
const TABLES: &[&str] = &[
    "CREATE TABLE measurement_plan (
        version_id UUID PRIMARY KEY REFERENCES version (id),
        primary_metric text NOT NULL
            CHECK (primary_metric IN ('ADOPTION', 'ERROR_RATE', 'FIRST_TIME_RIGHT', 'COMPLETION_TIME')),
        matures_after_days integer NOT NULL CHECK (matures_after_days <= 366),
        learning_days integer NOT NULL CHECK (learning_days BETWEEN 0 AND 90),
        watch_days integer NOT NULL CHECK (watch_days BETWEEN 1 AND 90),
        revision bigint NOT NULL,
        declared_by_id UUID NOT NULL REFERENCES person (id),
        declared_at bigint NOT NULL,
        CHECK (matures_after_days >= learning_days + watch_days + 14)
    )",
    "CREATE TABLE measurement_target (
        version_id UUID NOT NULL REFERENCES measurement_plan (version_id),
        metric text NOT NULL CHECK (metric IN ('ADOPTION', 'ERROR_RATE', 'FIRST_TIME_RIGHT', 'COMPLETION_TIME')),
        share double precision CHECK (share BETWEEN 0 AND 1),
        duration bigint CHECK (duration > 0),
        PRIMARY KEY (version_id, metric),
        CHECK ((metric = 'COMPLETION_TIME') = (duration IS NOT NULL)),
        CHECK ((share IS NULL) = (duration IS NOT NULL))
    )",
    "CREATE TABLE measurement_baseline (
        version_id UUID NOT NULL REFERENCES measurement_plan (version_id),
        metric text NOT NULL CHECK (metric IN ('ADOPTION', 'ERROR_RATE', 'FIRST_TIME_RIGHT', 'COMPLETION_TIME')),
        predecessor_id UUID REFERENCES version (id),
        from_at bigint NOT NULL,
        to_at bigint NOT NULL,
        numerator bigint NOT NULL,
        denominator bigint NOT NULL,
        median bigint,
        median_low bigint,
        median_high bigint,
        taken_at bigint NOT NULL,
        PRIMARY KEY (version_id, metric),
        CHECK (numerator BETWEEN 0 AND denominator),
        CHECK (metric = 'COMPLETION_TIME' OR median IS NULL)
    )",
];

/// Refuses every change of what belongs to a version that is no draft any more. A condition of a trigger may look into
/// another table on SQLite only; on PostgreSQL its function does.
async fn only_of_drafts(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let message = "a plan is fixed with the content of its version";
    let draft = |row: &str| format!("(SELECT state FROM version WHERE id = {row}.version_id) <> 'DRAFT'");
    let events = [("made", "INSERT", "NEW"), ("changed", "UPDATE", "OLD"), ("removed", "DELETE", "OLD")];
    for (name, event, row) in events {
        let (trigger, not_draft) = (format!("{table}_{name}"), draft(row));
        let statements = if is_sqlite(manager) {
            vec![format!(
                "CREATE TRIGGER {trigger} BEFORE {event} ON {table} FOR EACH ROW WHEN {not_draft} \
                 BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )]
        } else {
            let answer = if event == "DELETE" { "OLD" } else { "NEW" };
            vec![
                format!(
                    "CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS \
                     $$ BEGIN IF {not_draft} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; \
                     END IF; RETURN {answer}; END $$"
                ),
                format!("CREATE TRIGGER {trigger} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {trigger}()"),
            ]
        };
        run(manager, &statements.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    }
    if is_sqlite(manager) {
        return Ok(());
    }
    // What would empty the table would empty that of baselines too, which refuses it; this one says so itself.
    let truncate = [
        format!(
            "CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END $$"
        ),
        format!("CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {table}_kept()"),
    ];
    run(manager, &truncate.iter().map(String::as_str).collect::<Vec<_>>()).await
}
