//! Sopwith keeps an organisation's standard operating procedures and the evidence of whether they work.

mod app;
mod auth;
mod cli;
mod clock;
mod config;
mod demo;
mod error;
mod export;
mod graphql;
mod heads;
mod import;
mod intake;
mod jobs;
mod metrics;
mod server;
mod smtp;
mod store;
mod telemetry;
mod together;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
