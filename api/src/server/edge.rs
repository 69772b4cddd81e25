//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use prometheus::Histogram;
use sopwith_domain::time::SECOND;
use tokio::runtime::Handle;

use super::Failure;
use super::document::RootFields;
use super::ready::Readiness;
use crate::app::tokens::{Lookups, Uses};
use crate::auth::token::{Setup, Verifier};
use crate::clock;
use crate::config::{Config, DashboardConfig};
use crate::graphql::{self, SopwithSchema};
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::metrics::domain::Gatherer;
use crate::store::Store;

/// Made once, shared by all threads.
pub struct Edge {
    pub schema: SopwithSchema,
    pub roots: RootFields,
    pub store: Store,
    pub verifier: Verifier,
    /// Where API tokens are looked up.
    pub lookups: Lookups,
    /// When API tokens were used last.
    pub uses: Uses,
    pub metrics: Arc<Metrics>,
    /// Where batches of executions are taken, over GraphQL as well.
    pub intake: Arc<Intake>,
    pub domain: Gatherer,
    pub readiness: Readiness,
    /// The main runtime: connections to the database live on it, not on the threads of the server.
    pub runtime: Handle,
    pub max_body_bytes: usize,
    /// Fields of one operation: each costs a point of complexity at least.
    pub max_fields: usize,
    pub deadline: Duration,
    pub metrics_token: Option<String>,
    pub metrics_domain_open: bool,
    pub dashboard: DashboardConfig,
    /// The longest session of a browser, in microseconds.
    pub session_max: i64,
}

impl Edge {
    /// Sets everything up. To be called on the main runtime.
    ///
    /// # Errors
    /// When tokens cannot be verified as configured.
    pub fn new(config: &Config, store: Store, waits: Histogram) -> Result<Self, Failure> {
        let setup = Setup::new(&config.auth)?;
        let metrics = Arc::new(Metrics::new(waits)?);
        let roots = RootFields::of(&graphql::sdl());
        for (kind, operation) in roots.labels() {
            metrics.operations().expect(kind, operation);
        }
        let told = Arc::clone(&metrics);
        let verifier = Verifier::start(setup, Box::new(move |succeeded| told.jwks_fetched(succeeded, clock::now())));
        let intake = Arc::new(Intake::new(&config.ingest, store.has_one_writer(), Arc::clone(&metrics)));
        Ok(Self {
            schema: graphql::build(config, Arc::clone(&metrics), Arc::clone(&intake)),
            roots,
            store,
            verifier,
            lookups: Lookups::default(),
            uses: Uses::default(),
            metrics,
            intake,
            domain: Gatherer::default(),
            readiness: Readiness::default(),
            runtime: Handle::current(),
            max_body_bytes: config.max_body_bytes,
            max_fields: config.max_complexity,
            deadline: Duration::from_secs(config.request_timeout_seconds),
            metrics_token: config.metrics_token.clone(),
            metrics_domain_open: config.metrics_domain_open,
            dashboard: config.dashboard.clone(),
            session_max: i64::try_from(config.dashboard.session_max_seconds).unwrap_or(i64::MAX).saturating_mul(SECOND),
        })
    }
}
