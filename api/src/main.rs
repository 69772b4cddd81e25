mod app;
mod auth;
mod clock;
mod error;
mod store;
fn main() {}
