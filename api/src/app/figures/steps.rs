//! Which steps fail, are skipped or tried again most.

use std::collections::{BTreeMap, BTreeSet};

use sopwith_domain::content::Step;
use sopwith_domain::error::Refusal;
use sopwith_domain::funnel::Trouble;
use sopwith_domain::ids::SopId;
use sopwith_domain::lifecycle::VersionState;
use sopwith_domain::time::Timestamp;

use super::runs::{bucket, seated, stretch};
use crate::app::Call;
use crate::error::{Error, Result};
use crate::store::figures::Question;
use crate::store::figures::steps::{Asked, Found, MOST_RUNS, count};
use crate::store::sops::VersionRow;
use crate::store::{Store, Uuid, contents, sops};

/// In so many versions of an SOP a step is looked for, from the newest on.
const VERSIONS: usize = 10;

/// Steps, the worst first.
#[derive(Debug, Clone)]
pub struct Worst {
    /// What runs tell of them.
    pub found: Found,
    /// Of runs that started before this time.
    pub to: Timestamp,
    /// What they are, by SOP and key, as far as that is known.
    pub known: BTreeMap<(Uuid, String), Known>,
}

/// A step as a version has it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The newest version that has it.
    pub version: Uuid,
    /// What it says there.
    pub step: Step,
}

/// What the runs that the actor reads tell of their steps.
///
/// # Errors
/// `Forbidden` for who reads no figures; `Invalid` for more than a year, for buckets of an hour, and where too many runs
/// would have to be gone through.
pub async fn worst(call: &Call, mut question: Question, trouble: Trouble, first: usize) -> Result<Worst> {
    let who = super::reader(call).await?;
    let stretch = stretch(call.now, question.from, question.to)?;
    bucket(question.bucket)?;
    if let (Some(version), None) = (question.version, question.sop) {
        let row = sops::versions_by_ids(call.store.read(), &[version.0]).await?.pop();
        question.sop = row.map(|row| SopId(row.sop_id));
    }
    let too_many = too_many(&question);
    let (store, now) = (call.store.clone(), call.now);
    let asked = Asked { who, question, stretch, trouble, first };
    let found = seated(async move { count(&store, &asked, now).await }).await?.ok_or(too_many)?;
    let named = found.steps.iter().filter_map(|of| Some((of.sop?, of.counts.key.clone()))).collect();
    let known = known(&call.store, named).await?;
    Ok(Worst { found, to: stretch.1, known })
}

/// What is said where too many runs would have to be gone through: what would make them fewer.
fn too_many(question: &Question) -> Refusal {
    let narrow = question.sop.is_some() || question.process.is_some();
    let (field, what) = if narrow {
        ("filter.from", "ask for a shorter time")
    } else {
        ("filter.sopId", "ask for one SOP or one process, or for a shorter time")
    };
    Refusal::invalid(field, format!("more than {MOST_RUNS} runs would have to be gone through: {what}"))
}

/// The steps of these keys, as the newest version that was ever in force and has them says.
async fn known(store: &Store, mut named: BTreeSet<(Uuid, String)>) -> Result<BTreeMap<(Uuid, String), Known>> {
    let mut known = BTreeMap::new();
    if named.is_empty() {
        return Ok(known);
    }
    let ids: BTreeSet<Uuid> = named.iter().map(|(sop, _)| *sop).collect();
    let mut versions = in_force(sops::versions_of(store.read(), &ids.into_iter().collect::<Vec<_>>()).await?)?;
    for _ in 0..VERSIONS {
        let wanted: BTreeSet<Uuid> = named.iter().map(|(sop, _)| *sop).collect();
        let newest: Vec<VersionRow> = wanted.iter().filter_map(|sop| versions.get_mut(sop)?.pop()).collect();
        if newest.is_empty() {
            break;
        }
        let hashes: Vec<String> = newest.iter().map(|row| row.content_hash.clone()).collect();
        let documents: BTreeMap<_, _> = contents::by_hashes(store.read(), &hashes).await?.into_iter().collect();
        for row in newest {
            let document = documents.get(&row.content_hash).ok_or_else(|| Error::internal("no such content"))?;
            for step in &document.content.steps {
                let name = (row.sop_id, step.key.clone());
                if named.remove(&name) {
                    known.insert(name, Known { version: row.id, step: step.clone() });
                }
            }
        }
    }
    Ok(known)
}

/// Those that are or were in force, by SOP, the newest last.
fn in_force(rows: Vec<VersionRow>) -> Result<BTreeMap<Uuid, Vec<VersionRow>>> {
    let mut of: BTreeMap<Uuid, Vec<VersionRow>> = BTreeMap::new();
    for row in rows {
        let state: VersionState = row.state.parse().map_err(Error::internal)?;
        if state.was_in_force() && row.published_at.is_some() {
            of.entry(row.sop_id).or_default().push(row);
        }
    }
    for rows in of.values_mut() {
        rows.sort_by_key(|row| (row.published_at, row.id));
    }
    Ok(of)
}

#[cfg(test)]
mod tests {
    use sopwith_domain::ids::{ProcessId, TeamId};

    use super::*;

    #[test]
    fn a_question_that_is_too_large_is_told_what_makes_it_smaller() {
        let all = Question { team: Some(TeamId(Uuid::nil())), ..Question::default() };
        assert!(too_many(&all).told().starts_with("filter.sopId: more than 500000 runs"), "{}", too_many(&all).told());
        let one = Question { process: Some(ProcessId(Uuid::nil())), ..Question::default() };
        assert!(too_many(&one).told().ends_with("ask for a shorter time"), "{}", too_many(&one).told());
        assert!(too_many(&one).told().starts_with("filter.from: "), "{}", too_many(&one).told());
    }
}
