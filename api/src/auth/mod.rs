//! Who somebody is.

pub mod claims;
pub mod jwks;
pub mod token;
