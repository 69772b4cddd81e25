//! The GraphQL API. Resolvers are thin: they read arguments, call an operation of `app` or a loader, and shape the
//! answer.

mod connection;
mod error;
mod loaders;
mod mutation;
mod query;
mod scalars;
mod types;

use std::sync::Arc;

use async_graphql::{EmptySubscription, Request, SDLExportOptions, Schema, SchemaBuilder};

use crate::app::Call;
use crate::config::Config;
use crate::intake::Intake;
use crate::metrics::Metrics;

pub use mutation::MutationRoot;
pub use query::QueryRoot;

/// The schema.
pub type SopwithSchema = Schema<QueryRoot, MutationRoot, EmptySubscription>;

fn builder() -> SchemaBuilder<QueryRoot, MutationRoot, EmptySubscription> {
    Schema::build(QueryRoot::default(), MutationRoot::default(), EmptySubscription)
        .register_output_type::<types::Node>()
}

/// The schema with the limits that are configured.
#[must_use]
pub fn build(config: &Config, metrics: Arc<Metrics>, intake: Arc<Intake>) -> SopwithSchema {
    let schema = builder().limit_depth(config.max_depth).limit_complexity(config.max_complexity);
    let schema = schema.data(metrics).data(intake);
    if config.introspection { schema.finish() } else { schema.disable_introspection().disable_suggestions().finish() }
}

/// A request with who asks, and with loaders of its own: what one client sees never reaches another.
#[must_use]
pub fn attach(request: Request, call: Call) -> Request {
    let call = Arc::new(call);
    request.data(loaders::Loaders::new(Arc::clone(&call))).data(call)
}

/// The schema in its definition language, sorted: the contract.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .use_space_ident();
    builder().finish().sdl_with_options(options)
}
