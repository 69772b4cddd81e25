//! Migrations: forward only, one change per file, the same tables on SQLite and PostgreSQL; only when references are checked
//! differs (`m0028`).
//!
//! Instants are microseconds since 1970 UTC in `bigint` columns named `*_at`; enumerations are text with a CHECK;
//! hashes are lower-case hex, as the API shows them.

mod dialect;
mod m0001_people;
mod m0002_procedures;
mod m0003_approvals;
mod m0004_audit;
mod m0005_executions;
mod m0006_search;
mod m0007_requests;
mod m0008_audit_behalf;
mod m0010_roles;
mod m0011_api_tokens;
mod m0012_policies;
mod m0013_decisions;
mod m0014_comments;
mod m0015_events;
mod m0016_mail;
mod m0017_rollups;
mod m0018_measurement;
mod m0019_sessions;
mod m0020_responses;
mod m0021_rollup_state;
mod m0022_conformance;
mod m0023_retention;
mod m0024_sop_process;
mod m0025_horizon;
mod m0026_violated;
mod m0027_grants_of;
mod m0028_deferred;

pub use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait};

/// All migrations, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_people::Migration),
            Box::new(m0002_procedures::Migration),
            Box::new(m0003_approvals::Migration),
            Box::new(m0004_audit::Migration),
            Box::new(m0005_executions::Migration),
            Box::new(m0006_search::Migration),
            Box::new(m0007_requests::Migration),
            Box::new(m0008_audit_behalf::Migration),
            Box::new(m0010_roles::Migration),
            Box::new(m0011_api_tokens::Migration),
            Box::new(m0012_policies::Migration),
            Box::new(m0013_decisions::Migration),
            Box::new(m0014_comments::Migration),
            Box::new(m0015_events::Migration),
            Box::new(m0016_mail::Migration),
            Box::new(m0017_rollups::Migration),
            Box::new(m0018_measurement::Migration),
            Box::new(m0019_sessions::Migration),
            Box::new(m0020_responses::Migration),
            Box::new(m0021_rollup_state::Migration),
            Box::new(m0022_conformance::Migration),
            Box::new(m0023_retention::Migration),
            Box::new(m0024_sop_process::Migration),
            Box::new(m0025_horizon::Migration),
            Box::new(m0026_violated::Migration),
            Box::new(m0027_grants_of::Migration),
            Box::new(m0028_deferred::Migration),
        ]
    }
}
