//! Who somebody is.

pub mod api_token;
pub mod claims;
pub mod jwks;
pub mod session;
pub mod token;
