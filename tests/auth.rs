//! Who may do what, over HTTP.

mod operations;
mod roles;
mod tokens;
