//! What goes wrong: transactions that the database breaks off, and executions that are deleted, of which it keeps a copy.

use std::time::Duration;

use crate::support::{Backend, World};

/// Where a transaction breaks off, one in each round: when all of a batch but its sums is stored, when executions are deleted
/// but what figures took from them is not kept, while sums are added up, and while runs are being corrected. SQLite breaks off
/// the statement, or the whole transaction by itself, as it also does for want of space.
pub const FUSES: [&str; 4] = ["DELTA", "EXPIRY", "SUM", "RUN"];

/// What the database says of it.
const BLOWN: &str = "a fuse has blown";

/// Prepares the database for it.
pub async fn prepare(world: &World) {
    let sql = match world.backend {
        Backend::Sqlite => {
            "CREATE TABLE shadow AS SELECT * FROM execution WHERE false;
             CREATE TRIGGER shadow BEFORE DELETE ON execution
                BEGIN INSERT INTO shadow SELECT * FROM execution WHERE id = OLD.id; END;
             CREATE TABLE fuse (name text);
             CREATE TRIGGER fuse_delta BEFORE INSERT ON rollup_delta WHEN EXISTS (SELECT 1 FROM fuse WHERE name = 'DELTA')
                BEGIN SELECT RAISE(ABORT, 'a fuse has blown'); END;
             CREATE TRIGGER fuse_run BEFORE UPDATE ON execution
                WHEN NEW.run_id LIKE '%7' AND EXISTS (SELECT 1 FROM fuse WHERE name = 'RUN')
                BEGIN SELECT RAISE(ROLLBACK, 'a fuse has blown'); END;
             CREATE TRIGGER fuse_sum BEFORE INSERT ON rollup WHEN EXISTS (SELECT 1 FROM fuse WHERE name = 'SUM')
                BEGIN SELECT RAISE(FAIL, 'a fuse has blown'); END;
             CREATE TRIGGER fuse_expiry BEFORE INSERT ON rollup_expired WHEN EXISTS (SELECT 1 FROM fuse WHERE name = 'EXPIRY')
                BEGIN SELECT RAISE(ABORT, 'a fuse has blown'); END;"
        }
        Backend::Postgres => {
            "CREATE TABLE shadow (LIKE execution);
             CREATE FUNCTION shadow() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO shadow SELECT OLD.*; RETURN OLD; END $$;
             CREATE TRIGGER shadow BEFORE DELETE ON execution FOR EACH ROW EXECUTE FUNCTION shadow();
             CREATE TABLE fuse (name text);
             CREATE FUNCTION fuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF EXISTS (SELECT 1 FROM fuse WHERE name = TG_ARGV[0]) THEN RAISE EXCEPTION 'a fuse has blown'; END IF;
                RETURN NEW; END $$;
             CREATE TRIGGER fuse BEFORE INSERT ON rollup_delta FOR EACH ROW EXECUTE FUNCTION fuse('DELTA');
             CREATE TRIGGER fuse BEFORE UPDATE ON execution FOR EACH ROW WHEN (NEW.run_id LIKE '%7') EXECUTE FUNCTION fuse('RUN');
             CREATE TRIGGER fuse BEFORE INSERT ON rollup FOR EACH ROW EXECUTE FUNCTION fuse('SUM');
             CREATE TRIGGER fuse BEFORE INSERT ON rollup_expired FOR EACH ROW EXECUTE FUNCTION fuse('EXPIRY');"
        }
    };
    world.execute(sql).await;
}

/// Has every transaction of a kind broken off from now on.
pub async fn arm(world: &World, fuse: &str) {
    world.execute(&format!("INSERT INTO fuse VALUES ('{fuse}')")).await;
}

/// Has none broken off any more.
pub async fn disarm(world: &World) {
    world.execute("DELETE FROM fuse").await;
}

/// Has transactions of a kind broken off for a while.
pub async fn blow(world: &World, fuse: &str) {
    arm(world, fuse).await;
    match fuse {
        "SUM" => failed(world, "compact_rollups").await,
        _ => tokio::time::sleep(Duration::from_millis(250)).await,
    }
    disarm(world).await;
}

/// Waits until a job has failed for this.
pub async fn failed(world: &World, job: &str) {
    let blown = |line: &serde_json::Value| line["reason"].as_str().is_some_and(|reason| reason.contains(BLOWN));
    world.server.log_entry(|line| line["job"] == job && blown(line)).await;
}

/// Cuts all connections: the transactions end where they are, and nobody tells the server before.
pub async fn cut(world: &World) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    world.execute(sql).await;
}

/// Puts back what was deleted, as if nothing ever had been.
pub async fn put_back(world: &World) {
    let of = if world.backend == Backend::Postgres { "ON rollup_expired" } else { "" };
    world.execute(&format!("DROP TRIGGER rollup_expired_no_delete {of}")).await;
    world.execute("DELETE FROM rollup_expired").await;
    world.execute("INSERT INTO execution SELECT * FROM shadow").await;
    world.execute("UPDATE rollup_state SET kept_from = NULL").await;
}
