//! What the service does in a second, beside what its database could do at the most: both measured in one run, on one
//! machine. Times alone mean nothing; their ratios do.
//!
//! `cargo bench --bench limits` for all of it; `-- --help` for parts.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails stops")]
#![expect(clippy::disallowed_methods, reason = "measurements are where real time passes")]
#![expect(clippy::print_stdout, reason = "the results are printed")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are printed to three digits"
)]

mod cost;
mod executions;
mod figures;
mod ingest;
mod raw;
mod report;
mod site;
#[path = "../tests/story.rs"]
#[expect(dead_code, reason = "what tests have in common: not all of it is needed here")]
mod story;
#[path = "../tests/support/mod.rs"]
mod support;
mod wire;

use clap::Parser;
use support::Backend;

/// Measures the service beside the limit of its database.
#[derive(Debug, Parser)]
struct Arguments {
    /// Executions at which dashboards are measured: one number, or a second that is more.
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    executions: Vec<u64>,
    /// Executions by which ingestion is measured.
    #[arg(long, default_value_t = 50_000)]
    ingest: u64,
    /// Seconds for which single mutations are sent, and each question is asked.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// SOPs.
    #[arg(long, default_value_t = 1000)]
    sops: u64,
    /// Only this database: sqlite or postgres.
    #[arg(long)]
    only: Option<String>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let fits = match arguments.executions[..] {
        [one] => one > 0,
        [fewer, more] => fewer > 0 && more > fewer,
        _ => false,
    };
    assert!(fits, "--executions takes one number, or a second that is more");
    support::durable();
    for (name, backend) in [("sqlite", Backend::Sqlite), ("postgres", Backend::Postgres)] {
        if arguments.only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let Some(mut site) = site::Site::found(backend, arguments.sops).await else { continue };
        println!("\n## {name}\n");
        report::head();
        ingest::measure(&mut site, &arguments).await;
        figures::measure(&mut site, &arguments).await;
    }
}
