//! How long requests waited for a connection of the database's pools: the library tells it only as an event, so it is
//! taken from there.

use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::store::PATIENCE;

/// The target and the field of the library's event, in seconds.
const TARGET: &str = "sqlx::pool::acquire";
const FIELD: &str = "acquired_after_secs";

/// The level at which the pools are to tell it: below what is logged.
pub const LEVEL: log::LevelFilter = log::LevelFilter::Trace;

/// Hands every wait on to `observe`.
pub struct Acquired<F>(pub F);

impl<S: Subscriber + for<'a> LookupSpan<'a>, F: Fn(Duration) + 'static> Layer<S> for Acquired<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut wait = Wait(None);
        event.record(&mut wait);
        if let Some(waited) = wait.0.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            (self.0)(waited);
        }
    }
}

/// Tells of a wait that was given up, of which the library says nothing.
pub fn waited_in_vain() {
    tracing::trace!(target: TARGET, acquired_after_secs = PATIENCE.as_secs_f64());
}

/// Lets nothing but the library's event through.
pub fn only() -> Targets {
    Targets::new().with_target(TARGET, Level::TRACE)
}

struct Wait(Option<f64>);

impl Visit for Wait {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == FIELD {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn waits_that_are_given_up_count_too() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let waits = Arc::clone(&seen);
        let layer = Acquired(move |wait| waits.lock().unwrap().push(wait)).with_filter(only());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), waited_in_vain);
        assert_eq!(*seen.lock().unwrap(), [PATIENCE]);
    }
}
