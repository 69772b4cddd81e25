//! Logging: structured lines on standard error.

pub mod statements;

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

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

/// Begins logging for a service: every line, panics included, has the configured format.
///
/// # Errors
/// When the filter cannot be read, or logging has begun before.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|_| TelemetryError::Filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match config.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    begun.map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, reason = panic.payload_as_str().unwrap_or("no text"), "panic");
}
