//! What a demo is loaded with.

use sopwith_domain::calendar::Zone;

use super::cast::{Cast, SOURCE};
use super::life::Life;
use super::place::{self, Place};
use super::{DemoArgs, samples, simulate};
use crate::cli::{CliError, migrate};
use crate::clock::now;
use crate::error::Error;
use crate::import::{self, incidents, runbooks};
use crate::store::Store;

/// So that every demo shows the same runs, as far as the time of day allows.
const SEED: u64 = 7;

/// Loads a new database, and puts it in its place once it is whole.
///
/// # Errors
/// When a file cannot be read, or the database does not answer.
pub async fn load(place: &Place, zone: Zone, args: &DemoArgs, cast: &Cast) -> Result<(), CliError> {
    let store = Store::open(&place::url(&place.loading())?, 2, zone).await?;
    let loaded = fill(&store, args, cast).await;
    store.close().await?;
    loaded?;
    Ok(place.complete()?)
}

async fn fill(store: &Store, args: &DemoArgs, cast: &Cast) -> Result<(), CliError> {
    migrate::apply(store).await?;
    if args.runbooks.is_none() && args.incidents.is_none() {
        return simulated(store, cast).await;
    }
    cast.enter(store, now()).await?;
    if let Some(dir) = &args.runbooks {
        // Where OWNERS files name nobody, the demo's own reviewer and approver may decide: they hold the roles org-wide.
        let options = runbooks::Options { publish: true };
        eprint!("{}", runbooks::import(store, dir, options, &import::progress("runbooks")).await?);
    }
    if let Some(file) = &args.incidents {
        eprint!("{}", incidents::import(store, file, "incident-log", &import::progress("executions")).await?);
    }
    Ok(())
}

/// The samples, and runs of them.
async fn simulated(store: &Store, cast: &Cast) -> Result<(), CliError> {
    let now = now();
    let samples = samples::samples().map_err(Error::internal)?;
    let life = Life::begin(store, cast, &samples, now).await?;
    let facts = life.play(&samples).await?;
    let reports = simulate::reports(now, &facts, SEED);
    let integration = life.actor("integration")?;
    let call = || life.call(integration, now);
    let answers = incidents::send(call, SOURCE, reports, &import::progress("executions")).await?;
    match answers.refused.first() {
        None => Ok(()),
        Some(first) => Err(CliError::Message(format!("a simulated execution was refused: {first:?}"))),
    }
}
