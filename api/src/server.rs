//! The HTTP edge: actix takes requests on its own threads, what talks to the database runs on the main runtime.

mod access;
mod answer;
mod bearer;
mod body;
mod dashboard;
mod document;
mod edge;
mod execution;
mod export;
mod graphql;
mod ingest;
mod pages;
mod parts;
mod ready;
mod records;
mod rejection;
mod scan;
mod style;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, dev, web};
use prometheus::Histogram;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::edge::Edge;
use crate::auth::token::AuthSetupError;
use crate::config::Config;
use crate::error::Error;
use crate::heads::{Heads, HeadsError};
use crate::jobs::{HeadSigner, Jobs};
use crate::smtp::{MailSetupError, Mailer};
use crate::store::Store;
use crate::telemetry::statements;

/// How long an idle connection is kept: longer than clients and proxies keep theirs, who would else send into a
/// connection that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// What jobs and the database get to come to an end, beyond the time for requests.
const GRACE: Duration = Duration::from_secs(5);

/// Why the service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Tokens cannot be verified.
    #[error("setting [auth] {0}")]
    Auth(#[from] AuthSetupError),
    /// Mail cannot be sent.
    #[error("setting [mail] {0}")]
    Mail(#[from] MailSetupError),
    /// Heads of the audit chain cannot be signed.
    #[error(transparent)]
    Heads(#[from] HeadsError),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The system refuses something else.
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
    /// Two metrics have one name.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The database cannot be closed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Serves until SIGTERM or SIGINT, then ends what is under way and closes the database. `started` is told the address
/// once requests are taken. `waits` is what the logging observes of the database's pools.
///
/// # Errors
/// [`Failure`], when it cannot begin or does not end well.
pub async fn run(
    config: Config,
    mut store: Store,
    waits: Histogram,
    started: impl FnOnce(SocketAddr),
) -> Result<(), Failure> {
    store.observe(statements::observed);
    let edge = Arc::new(Edge::new(&config, store.clone(), waits)?);
    let mailer = Mailer::new(&config.mail)?;
    let heads = Heads::open(&config.audit)?;
    let mut signals = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let (server, address) = listen(&config, Arc::clone(&edge))?;
    let handle = server.handle();
    let mut server = tokio::spawn(server);
    let jobs = Jobs::start(&store, &edge.metrics, &config, mailer);
    let interval = Duration::from_secs(config.audit.heads_interval_seconds);
    let signer = heads.map(|heads| HeadSigner::start(store.clone(), heads, Arc::clone(&edge.metrics), interval));
    started(address);
    let ended = tokio::select! {
        () = received(&mut signals) => None,
        ended = &mut server => Some(ended),
    };
    tracing::info!("stopping");
    if ended.is_none() {
        handle.stop(config.shutdown_timeout_seconds > 0).await;
    }
    jobs.stop(GRACE).await;
    if let Some(signer) = signer {
        signer.stop(GRACE).await;
    }
    close(store).await?;
    tracing::info!("stopped");
    match ended {
        None => Ok(()),
        Some(ended) => Ok(ended.map_err(io::Error::other)??),
    }
}

/// Binds the address; requests are taken once the server is polled.
fn listen(config: &Config, edge: Arc<Edge>) -> Result<(dev::Server, SocketAddr), Failure> {
    let edge = web::Data::from(edge);
    let app = move || App::new().app_data(edge.clone()).wrap(from_fn(access::observe)).configure(routes);
    let server = HttpServer::new(app)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .shutdown_timeout(config.shutdown_timeout_seconds)
        .bind(config.listen)
        .map_err(|error| Failure::Listen(config.listen, error))?;
    let address = server.addrs().first().copied().unwrap_or(config.listen);
    Ok((server.run(), address))
}

fn routes(app: &mut web::ServiceConfig) {
    let page = |path| web::resource(path).default_service(web::to(pages::only_get));
    app.service(
        web::resource("/graphql").route(web::post().to(graphql::handle)).default_service(web::to(graphql::only_post)),
    )
    .service(
        web::resource("/v1/executions")
            .route(web::post().to(ingest::handle))
            .default_service(web::to(graphql::only_post)),
    )
    .service(page("/healthz").route(web::get().to(pages::health)).route(web::head().to(pages::health)))
    .service(page("/readyz").route(web::get().to(pages::readiness)).route(web::head().to(pages::readiness)))
    .service(page("/metrics").route(web::get().to(pages::metrics)))
    .service(page("/metrics/domain").route(web::get().to(pages::domain_metrics)))
    .service(page("/records/{version}").route(web::get().to(records::answer)).route(web::head().to(records::answer)))
    .service(page("/audit/export").route(web::get().to(export::handle)))
    .configure(dashboards)
    .default_service(web::to(pages::nothing));
}

/// The pages for people. What is posted there is told apart from pages by the origin that it must have.
fn dashboards(app: &mut web::ServiceConfig) {
    use dashboard::{handle, sign_in};
    let page = |path| web::resource(path).default_service(web::to(pages::only_get));
    app.service(
        page("/dashboard/sign-in")
            .route(web::get().to(sign_in::form))
            .route(web::head().to(sign_in::form))
            .route(web::post().to(sign_in::enter)),
    )
    .service(
        web::resource("/dashboard/sign-out")
            .route(web::post().to(sign_in::leave))
            .default_service(web::to(graphql::only_post)),
    );
    for path in ["/dashboard", "/dashboard.csv", "/dashboard.json", "/dashboard/{rest:.*}"] {
        app.service(page(path).route(web::get().to(handle)).route(web::head().to(handle)));
    }
}

async fn received(signals: &mut [Signal; 2]) {
    let [terminate, interrupt] = signals;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Closes the database, so that SQLite leaves one file behind. A statement that does not end cannot hold it up for
/// good.
async fn close(store: Store) -> Result<(), Failure> {
    if let Ok(closed) = tokio::time::timeout(GRACE, store.close()).await {
        return Ok(closed?);
    }
    tracing::warn!("the database did not close in time");
    Ok(())
}
