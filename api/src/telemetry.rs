//! Logging: structured lines on standard error.

pub mod acquire;
pub mod statements;

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::time::Duration;

use prometheus::Histogram;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, registry};

use self::acquire::Acquired;
use crate::config::{LogConfig, LogFormat};

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The levels cannot be read.
    #[error("setting `log.filter` must be levels by target, such as info or info,sopwith=debug")]
    Filter,
    /// Something else in this process logs already.
    #[error("logging was set up before")]
    Twice,
}

/// Begins logging for a service: every line, panics included, has the configured format. How long the database's pools
/// let somebody wait goes to `waits`, in seconds.
///
/// # Errors
/// When the filter cannot be read, or logging has begun before.
pub fn init(config: &LogConfig, waits: Histogram) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|_| TelemetryError::Filter)?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let acquired = Acquired(move |waited: Duration| waits.observe(waited.as_secs_f64())).with_filter(acquire::only());
    let begun = registry().with(lines.with_filter(filter)).with(acquired).try_init();
    begun.map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, reason = panic.payload_as_str().unwrap_or("no text"), "panic");
}
