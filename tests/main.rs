//! The integration tests: a real server, driven over the network, on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected stops")]
#![expect(clippy::disallowed_methods, reason = "tests are where real time passes")]
#![expect(clippy::too_many_lines, reason = "a scenario is told in one piece")]

mod acts;
mod approvals;
mod attacker;
mod audit;
mod auth;
mod bad_input;
mod boundaries;
mod cli;
mod conventions;
mod crowd;
mod dashboard;
mod executions;
mod import;
mod life;
mod mail;
mod measurement;
mod ops;
mod records;
mod story;
mod support;
mod upgrade;
