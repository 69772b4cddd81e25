//! All that a database holds, to see whether anything changed.

use std::collections::BTreeSet;

use crate::support::{Backend, World};

/// Every row of every table, as a line. Of the roll-ups, which a job moves about on its own, it says how many deltas were
/// ever appended.
#[derive(Clone, Debug, PartialEq)]
pub struct Dump(BTreeSet<String>);

/// Makes the statement that dumps all tables there are, from the catalogue.
const SQLITE: &str = r#"SELECT group_concat(part, ' UNION ALL ') FROM (
    SELECT 'SELECT ''' || m.name || ': '' || ' || group_concat('quote("' || c.name || '")', ' || '', '' || ')
        || ' AS line FROM "' || m.name || '"' AS part
    FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' GROUP BY m.name)"#;
const POSTGRES: &str = r#"SELECT string_agg(
        'SELECT ''' || table_name || ': '' || t::text AS line FROM "' || table_name || '" t', ' UNION ALL ')
    FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"#;
/// How many deltas were ever appended; on PostgreSQL those that were taken back count, too.
const SQLITE_APPENDED: &str = "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'rollup_delta'), 0)";
const POSTGRES_APPENDED: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM rollup_delta_id_seq";

impl Dump {
    /// What the database holds now.
    pub async fn take(world: &World) -> Self {
        let (all_tables, join, appended) = match world.backend {
            Backend::Sqlite => (SQLITE, "group_concat(line, char(31))", SQLITE_APPENDED),
            Backend::Postgres => (POSTGRES, "string_agg(line, chr(31))", POSTGRES_APPENDED),
        };
        let tables = world.query_text(all_tables).await;
        let lines = world.query_text(&format!("SELECT {join} FROM ({tables}) AS everything")).await;
        let mut lines: BTreeSet<String> =
            lines.split('\u{1f}').filter(|line| !line.starts_with("rollup")).map(str::to_owned).collect();
        for table in ["person: ", "role_grant: ", "sop: ", "version: ", "content: ", "audit_entry: ", "audit_head: "] {
            assert!(lines.iter().any(|line| line.starts_with(table)), "the dump lacks {table}");
        }
        lines.insert(format!("deltas appended: {}", world.query_i64(appended).await));
        Self(lines)
    }

    /// The rows that only the later one has.
    pub fn added(&self, later: &Self) -> Vec<String> {
        later.0.difference(&self.0).cloned().collect()
    }

    /// Panics when the later one is not the same.
    pub fn assert_same(&self, later: &Self, after: &str) {
        let (gone, new) = (later.added(self), self.added(later));
        assert!(gone.is_empty() && new.is_empty(), "{after} changed something:\n- {gone:#?}\n+ {new:#?}");
    }

    /// Panics unless a mutation that was refused with this code changed nothing, but that an attempt at a decision, or at
    /// a submission that is forbidden, is on record. Answers what the database holds now.
    pub async fn assert_refused(&self, world: &World, mutation: &str, code: &str) -> Self {
        let now = Self::take(world).await;
        let submits = ["versionSubmit", "versionsSubmit"].contains(&mutation) && code == "FORBIDDEN";
        if submits || ["approvalDecide", "approvalsDecide"].contains(&mutation) {
            self.assert_one_refusal(&now, mutation);
        } else {
            self.assert_same(&now, mutation);
        }
        now
    }

    /// Panics unless the later one has one audit entry more, of what was refused, and nothing else.
    pub fn assert_one_refusal(&self, later: &Self, after: &str) {
        let (gone, new) = (later.added(self), self.added(later));
        let begins = |lines: &[String]| -> Vec<String> {
            lines.iter().map(|line| line.split_once(':').expect("a table").0.to_owned()).collect()
        };
        assert_eq!(begins(&gone), ["audit_head"], "{after}: {gone:#?}");
        assert_eq!(begins(&new), ["audit_entry", "audit_head"], "{after}: {new:#?}");
        let told = ["approval.refused", "version.submission_refused"].iter().any(|action| new[0].contains(action));
        assert!(told, "{after}: {new:#?}");
    }
}
