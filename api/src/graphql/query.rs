//! What can be asked.

mod access;
mod approval_figures;
mod approvals;
mod diagnosis;
mod funnel;
mod measurement;
mod people;
mod records;
mod sops;
mod worst;

use std::str::FromStr;

use async_graphql::{ID, MergedObject};
use sopwith_domain::error::Refusal;

use crate::error::Error;

/// What can be asked.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct QueryRoot(
    sops::SopQuery,
    approvals::ApprovalQuery,
    people::PeopleQuery,
    access::AccessQuery,
    records::RecordQuery,
    measurement::MeasurementQuery,
    diagnosis::DiagnosisQuery,
    funnel::FunnelQuery,
    approval_figures::ApprovalFiguresQuery,
    worst::WorstQuery,
);

/// A typed id; one of another kind names nothing here.
pub fn typed<T: FromStr>(id: &ID, what: &'static str) -> Result<T, Refusal> {
    id.parse().map_err(|_| Refusal::NotFound(what))
}

/// A typed id that may be absent.
pub fn typed_option<T: FromStr>(id: Option<&ID>, what: &'static str) -> Result<Option<T>, Refusal> {
    id.map(|id| typed(id, what)).transpose()
}

/// A text that a database can compare with; U+0000 is in none that is stored.
pub fn text<'a>(name: &str, text: &'a str) -> Result<&'a str, Refusal> {
    if text.contains('\0') { Err(Refusal::invalid(name, "the character U+0000 is not allowed")) } else { Ok(text) }
}

/// What there is for the actor to see; nothing where it is not found.
pub fn seen<T>(found: crate::error::Result<T>) -> super::error::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::Refused(Refusal::NotFound(_))) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
