//! The rules of Sopwith, pure: no database, no network, no clock. Time and ids are arguments.

mod text;

pub mod access;
pub mod approval;
pub mod audit;
pub mod calendar;
pub mod comment;
pub mod conformance;
pub mod content;
pub mod diagnosis;
pub mod error;
pub mod event;
pub mod execution;
pub mod funnel;
pub mod ids;
pub mod lifecycle;
pub mod measurement;
pub mod metrics;
pub mod policy;
pub mod rollup;
pub mod stats;
pub mod time;
