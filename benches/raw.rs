//! The limit: the rows that the service stored, put into the same tables by the fastest way that the database has.

use std::time::Instant;

use futures_util::TryStreamExt as _;
use rusqlite::{Connection, params_from_iter, types::Value};
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{Connection as _, Executor as _};

use crate::site::Site;
use crate::support::Backend;

const TABLES: [&str; 2] = ["execution_event", "execution"];

/// How rows are put in.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Executions to a transaction.
    pub batch: usize,
    /// Connections at the same time, where the database has more than one that writes.
    pub connections: usize,
}

/// Puts the executions of a series into the database that has none of them; answers how many seconds that took.
pub async fn insert(site: &Site, series: &str, rows: u64, way: Way) -> f64 {
    let like = format!("{series}-%");
    match site.world.backend {
        Backend::Sqlite => sqlite(&file(site.world.db.url()), &file(site.limit.url()), &like, rows, way.batch),
        Backend::Postgres => postgres(site.world.db.url(), site.limit.url(), &like, rows, way).await,
    }
}

/// The path in a URL of SQLite's.
pub fn file(url: &str) -> String {
    url.trim_start_matches("sqlite://").split('?').next().unwrap_or_default().to_owned()
}

/// Prepared statements, a transaction for each batch, and the settings of the service.
fn sqlite(from: &str, to: &str, like: &str, rows: u64, batch: usize) -> f64 {
    let source = Connection::open(from).unwrap();
    let tables = TABLES.map(|table| {
        let sql = format!("SELECT * FROM {table} WHERE run_id LIKE ? ORDER BY received_at, run_id");
        let mut select = source.prepare(&sql).unwrap();
        let columns = select.column_count();
        let read = |row: &rusqlite::Row| (0..columns).map(|column| row.get::<_, Value>(column)).collect();
        let all: Vec<Vec<Value>> = select.query_map([like], read).unwrap().map(Result::unwrap).collect();
        assert_eq!(all.len() as u64, rows);
        let marks = vec!["?"; columns].join(", ");
        (format!("INSERT INTO {table} VALUES ({marks})"), all)
    });
    let mut target = Connection::open(to).unwrap();
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000;\
         PRAGMA wal_autocheckpoint = 8000";
    target.execute_batch(settings).unwrap();
    let began = Instant::now();
    for at in (0..tables[0].1.len()).step_by(batch) {
        let transaction = target.transaction().unwrap();
        for (sql, all) in &tables {
            let mut insert = transaction.prepare_cached(sql).unwrap();
            for row in all.iter().skip(at).take(batch) {
                insert.execute(params_from_iter(row)).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    began.elapsed().as_secs_f64()
}

/// COPY, a transaction for each batch.
async fn postgres(from: &str, to: &str, like: &str, rows: u64, way: Way) -> f64 {
    let mut source = PgConnection::connect(from).await.unwrap();
    let mut tables: Vec<Vec<Vec<u8>>> = Vec::new();
    for table in TABLES {
        let sql =
            format!("COPY (SELECT * FROM {table} WHERE run_id LIKE '{like}' ORDER BY received_at, run_id) TO STDOUT");
        let mut out = source.copy_out_raw(&sql).await.unwrap();
        let mut all = Vec::new();
        while let Some(bytes) = out.try_next().await.unwrap() {
            all.extend_from_slice(&bytes);
        }
        let lines: Vec<Vec<u8>> = all.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        assert_eq!(lines.len() as u64, rows);
        tables.push(lines.chunks(way.batch).map(<[Vec<u8>]>::concat).collect());
    }
    let mut copying = tokio::task::JoinSet::new();
    let mut connections = Vec::new();
    for _ in 0..way.connections {
        connections.push(PgConnection::connect(to).await.unwrap());
    }
    let began = Instant::now();
    for (client, mut connection) in connections.into_iter().enumerate() {
        let share: Vec<Vec<Vec<u8>>> = (client..tables[0].len())
            .step_by(way.connections)
            .map(|n| tables.iter().map(|t| t[n].clone()).collect())
            .collect();
        copying.spawn(async move {
            for batch in share {
                connection.execute("BEGIN").await.unwrap();
                for (table, bytes) in TABLES.iter().zip(batch) {
                    let sql = format!("COPY {table} FROM STDIN");
                    let mut copy = connection.copy_in_raw(&sql).await.unwrap();
                    copy.send(bytes).await.unwrap();
                    copy.finish().await.unwrap();
                }
                connection.execute("COMMIT").await.unwrap();
            }
        });
    }
    copying.join_all().await;
    began.elapsed().as_secs_f64()
}
