//! The life of the samples so far: written, reviewed, approved, months ago, by the rules that hold for everyone.

use std::collections::BTreeMap;

use sopwith_domain::access::Actor;
use sopwith_domain::approval::{Verdict, Via};
use sopwith_domain::content::{ChangeKind, Content, Document};
use sopwith_domain::ids::{SopId, TeamId};
use sopwith_domain::lifecycle::Procedure;
use sopwith_domain::time::{DAY, HOUR, Timestamp};

use super::cast::Cast;
use super::samples::{Sample, SampleStage};
use super::simulate::{PublishedFacts, VersionFacts};
use crate::app::access::{self, TeamInput};
use crate::app::approvals::{self, DecisionInput};
use crate::app::processes::{self, ProcessInput};
use crate::app::sops::{self as sop_app, SopInput};
use crate::app::{Call, versions};
use crate::cli::CliError;
use crate::error::{Error, Result};
use crate::store::{Store, procedures, sops};

/// When the people came, in days ago.
const BEGIN: i64 = 90;
/// When the first versions of what is published were begun.
const FIRST: i64 = 75;
/// When the second ones were.
const SECOND: i64 = 40;
/// When what is not published yet was begun.
const RECENT: i64 = 4;
/// From one sample to the next, in hours: longer than all that is done with one.
const PACE: i64 = 8;

/// Everyone who takes part, and the present.
pub struct Life<'a> {
    store: &'a Store,
    now: Timestamp,
    actors: BTreeMap<&'static str, Actor>,
    /// Teams by key, each with its author.
    teams: BTreeMap<&'static str, (TeamId, Actor)>,
}

impl<'a> Life<'a> {
    /// Brings the people together, with the teams of the samples.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(
        store: &'a Store,
        cast: &Cast,
        samples: &[Sample],
        now: Timestamp,
    ) -> std::result::Result<Self, CliError> {
        let at = now.plus(-BEGIN * DAY);
        let actors = cast.enter(store, at).await?;
        let mut life = Self { store, now, actors, teams: BTreeMap::new() };
        for sample in samples {
            if life.teams.contains_key(sample.team_key) {
                continue;
            }
            let (key, name) = (sample.team_key, sample.team_name);
            let code_prefix = Some(sample.code_prefix.to_owned());
            let input = TeamInput { key: key.to_owned(), name: name.to_owned(), code_prefix };
            let team = access::create_team(&life.call(life.actor("admin")?, at), input, None).await?;
            life.teams.insert(key, (team, cast.author_of(store, (key, name), at).await?));
        }
        Ok(life)
    }

    /// Who holds a role.
    ///
    /// # Errors
    /// When nobody does.
    pub fn actor(&self, role: &str) -> Result<&Actor> {
        self.actors.get(role).ok_or_else(|| Error::internal(format!("nobody in the demo holds the role '{role}'")))
    }

    /// A request that somebody is made to have sent at some time; marked as recorded for them.
    pub fn call(&self, actor: &Actor, at: Timestamp) -> Call {
        let (store, actor) = (self.store.clone(), actor.clone());
        Call { store, actor, now: at, via: Via::Import, request_id: "demo".to_owned() }
    }

    /// Takes every sample as far as it goes, in the order of time. Answers what was published.
    ///
    /// # Errors
    /// When the rules refuse, or the database does not answer.
    pub async fn play(&self, samples: &[Sample]) -> Result<Vec<PublishedFacts>> {
        let (published, recent): (Vec<_>, Vec<_>) = samples.iter().partition(|s| s.stage == SampleStage::Published);
        let mut lives = Vec::new();
        for (sample, at) in published.iter().zip(self.times(FIRST)) {
            let sop = self.write(sample, at).await?;
            self.submit(sample, sop, at.plus(HOUR)).await?;
            self.approve(sop, at.plus(3 * HOUR)).await?;
            lives.push((*sample, sop));
        }
        let changed = lives.iter().filter(|(sample, _)| sample.versions.len() > 1);
        for ((sample, sop), at) in changed.zip(self.times(SECOND)) {
            for (kind, content) in sample.versions.iter().skip(1) {
                let author = self.author(sample)?;
                versions::create(&self.call(author, at), *sop, None, document(*kind, content).into(), None).await?;
                self.submit(sample, *sop, at.plus(HOUR)).await?;
                self.approve(*sop, at.plus(3 * HOUR)).await?;
            }
        }
        for (sample, at) in recent.into_iter().zip(self.times(RECENT)) {
            let sop = self.write(sample, at).await?;
            if sample.stage == SampleStage::InReview {
                self.submit(sample, sop, at.plus(HOUR)).await?;
            }
        }
        let mut facts = Vec::new();
        for (sample, sop) in lives {
            facts.push(self.facts(sample, sop).await?);
        }
        Ok(facts)
    }

    /// When work on each sample begins.
    fn times(&self, days_ago: i64) -> impl Iterator<Item = Timestamp> + use<> {
        let first = self.now.plus(-days_ago * DAY);
        (0..).map(move |n| first.plus(n * PACE * HOUR))
    }

    fn author(&self, sample: &Sample) -> Result<&Actor> {
        let team = self.teams.get(sample.team_key);
        team.map(|(_, author)| author).ok_or_else(|| Error::internal("a sample without a team"))
    }

    /// The process, and the SOP with its first draft.
    async fn write(&self, sample: &Sample, at: Timestamp) -> Result<SopId> {
        let call = self.call(self.author(sample)?, at);
        let team = self.teams.get(sample.team_key).map(|(team, _)| *team);
        let team = team.ok_or_else(|| Error::internal("a sample without a team"))?;
        let input = ProcessInput {
            key: sample.process_key.to_owned(),
            name: sample.process_name.to_owned(),
            description: sample.process_description.to_owned(),
            owner: None,
            team: Some(team),
            horizon: None,
        };
        let process = processes::create(&call, input, None).await?;
        let (kind, content) = sample.versions.first().ok_or_else(|| Error::internal("a sample without a version"))?;
        let input = SopInput {
            process,
            team,
            owner: None,
            risk: sample.risk,
            review_cadence_months: sample.review_cadence_months,
            document: document(*kind, content),
        };
        sop_app::create(&call, input, None).await
    }

    async fn submit(&self, sample: &Sample, sop: SopId, at: Timestamp) -> Result<()> {
        let procedure = self.load(sop).await?;
        let draft = procedure.open_version().ok_or_else(|| Error::internal("a sample without a draft"))?;
        versions::submit(&self.call(self.author(sample)?, at), draft.id, draft.revision, None).await?;
        Ok(())
    }

    /// One decision after the other, two hours apart, each by who holds the role of its stage.
    async fn approve(&self, sop: SopId, mut at: Timestamp) -> Result<()> {
        while let Some(request) = self.load(sop).await?.request {
            let role = request.current().map(|s| s.role.as_str()).unwrap_or_default();
            let input = DecisionInput {
                on_behalf_of: None,
                request: request.id,
                verdict: Verdict::Approve,
                content: request.content,
                comment: "Simulated by the demo".to_owned(),
            };
            approvals::decide(&self.call(self.actor(role)?, at), input, None).await?;
            at = at.plus(2 * HOUR);
        }
        Ok(())
    }

    async fn load(&self, sop: SopId) -> Result<Procedure> {
        let found = procedures::load(self.store.read(), sop, false).await?;
        found.ok_or_else(|| Error::internal("a sample is gone"))
    }

    /// What the simulation has to know, as the database has it.
    async fn facts(&self, sample: &Sample, sop: SopId) -> Result<PublishedFacts> {
        let row = sops::by_ids(self.store.read(), &[sop.0]).await?.pop();
        let row = row.ok_or_else(|| Error::internal("a sample is gone"))?;
        // Newest first, while the sample has its versions oldest first.
        let versions = sops::versions_of(self.store.read(), &[sop.0]).await?.into_iter().rev();
        let versions = versions.zip(&sample.versions).map(|(version, (_, content))| VersionFacts {
            label: sops::label(&version).map(|l| l.to_string()).unwrap_or_default(),
            in_force_from: Timestamp::from_micros(version.published_at.unwrap_or_default()),
            step_keys: content.steps.iter().map(|s| s.key.clone()).collect(),
        });
        Ok(PublishedFacts {
            process_key: sample.process_key.to_owned(),
            team_key: sample.team_key.to_owned(),
            sop_code: row.code,
            versions: versions.collect(),
        })
    }
}

fn document(kind: ChangeKind, content: &Content) -> Document {
    Document { kind, effective_at: None, content: content.clone() }
}
