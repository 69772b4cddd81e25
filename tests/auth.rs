//! Who may do what, over HTTP.

mod api_tokens;
mod custom_roles;
mod explain;
mod grants;
mod jwks;
mod operations;
mod provider;
mod roles;
mod tokens;
