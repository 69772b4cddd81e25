//! Versions, and what differs between two of them.

use std::sync::Arc;

use async_graphql::{Context, ID, Json, Object, SimpleObject};
use sopwith_domain::content as domain;
use sopwith_domain::ids::VersionId;

use super::approval::ApprovalRequest;
use super::content::Content;
use super::measurement::MeasurementPlan;
use super::people::{Person, person};
use super::sop::{Sop, sop};
use super::{ChangeKind, PartChangeKind, VersionState, stored};
use crate::error::Error;
use crate::graphql::error::Result;
use crate::graphql::loaders::{
    ContentKey, ContributorsKey, OpenThreadsKey, PersonKey, PlanKey, VersionKey, VersionRequestsKey, load, load_many,
};
use crate::graphql::scalars::{BigInt, DateTime};
use crate::store::sops::{VersionRow, label};

/// One content of an SOP.
pub struct Version(pub VersionRow);

/// A version by id, where the actor sees it.
pub async fn version(ctx: &Context<'_>, id: uuid::Uuid) -> Result<Option<Version>> {
    let Some(row) = load(ctx, VersionKey(id)).await? else { return Ok(None) };
    let seen = sop(ctx, row.sop_id).await?.is_some_and(|sop| row.published_at.is_some() || sop.sight.drafts);
    Ok(seen.then_some(Version(row)))
}

/// What the content of a hash says. Whoever calls it has seen to it that the actor may read it.
pub async fn document(ctx: &Context<'_>, hash: &str) -> Result<Arc<domain::Document>> {
    let found = load(ctx, ContentKey(hash.to_owned())).await?;
    Ok(found.ok_or_else(|| Error::internal(format!("no content {hash}")))?)
}

/// One content of an SOP.
#[Object]
impl Version {
    /// Names the version for good.
    pub async fn id(&self) -> ID {
        VersionId(self.0.id).to_string().into()
    }

    /// The SOP that it is a version of.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        sop(ctx, self.0.sop_id).await
    }

    /// `major.minor`; null until it is submitted.
    async fn label(&self) -> Option<String> {
        label(&self.0).map(|l| l.to_string())
    }

    /// Where it stands.
    async fn state(&self) -> Result<VersionState> {
        Ok(stored::<sopwith_domain::lifecycle::VersionState>(&self.0.state)?.into())
    }

    /// How far its change reaches.
    async fn kind(&self) -> Result<ChangeKind> {
        Ok(stored::<domain::ChangeKind>(&self.0.kind)?.into())
    }

    /// What it is called.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// What it says.
    async fn content(&self, ctx: &Context<'_>) -> Result<Content> {
        Ok(Content::from(&document(ctx, &self.0.content_hash).await?.content))
    }

    /// SHA-256 in hex of its canonical content (RFC 8785), with kind and effective date: what a decision refers to.
    async fn content_hash(&self) -> &str {
        &self.0.content_hash
    }

    /// Where its signed record is: a path of this service, to `GET` with the same token as HTML or JSON.
    async fn record_path(&self) -> String {
        format!("/records/{}", VersionId(self.0.id))
    }

    /// What it is measured by: declared while it is a draft, fixed from its submission on, judged on the maturity date.
    /// Where nothing was declared, the defaults hold and `declared` is false.
    async fn measurement_plan(&self, ctx: &Context<'_>) -> Result<MeasurementPlan> {
        Ok(MeasurementPlan { version: self.0.id, stored: load(ctx, PlanKey(self.0.id)).await? })
    }

    /// Raised by every edit and transition; what `expectedRevision` is compared with.
    async fn revision(&self) -> BigInt {
        BigInt(self.0.revision)
    }

    /// When it is to come into force; as soon as it is approved when null.
    async fn effective_at(&self) -> Option<DateTime> {
        self.0.effective_at.map(DateTime::stored)
    }

    /// The version that its content was taken from, where you see that.
    async fn based_on(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        match self.0.based_on_id {
            Some(id) => version(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Its creator, every editor of it and its submitter, and those of a version that never came into force where it
    /// begins from that: those who may not decide on it.
    async fn contributors(&self, ctx: &Context<'_>) -> Result<Vec<Person>> {
        let ids = load(ctx, ContributorsKey(self.0.id)).await?.unwrap_or_default();
        let mut people = load_many(ctx, ids.iter().map(|id| PersonKey(*id)).collect()).await?;
        Ok(ids.into_iter().filter_map(|id| people.remove(&PersonKey(id))).map(Person).collect())
    }

    /// Its passages through approval, newest first; for who sees no drafts, only the one that approved it.
    async fn approval_requests(&self, ctx: &Context<'_>) -> Result<Vec<ApprovalRequest>> {
        let drafts = sop(ctx, self.0.sop_id).await?.is_some_and(|sop| sop.sight.drafts);
        let rows = load(ctx, VersionRequestsKey(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().filter(|row| drafts || row.state == "APPROVED").map(ApprovalRequest).collect())
    }

    /// How many threads of review comments on it are open; null for who does not see drafts. `reviewComments` has them.
    async fn open_comment_threads(&self, ctx: &Context<'_>) -> Result<Option<BigInt>> {
        if !sop(ctx, self.0.sop_id).await?.is_some_and(|sop| sop.sight.drafts) {
            return Ok(None);
        }
        let open = load(ctx, OpenThreadsKey(self.0.id)).await?.unwrap_or_default();
        Ok(Some(BigInt(i64::try_from(open).map_err(Error::internal)?)))
    }

    /// Why it was returned or given up, where it was.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Who began it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.created_by_id)).await
    }

    /// When it was begun.
    async fn created_at(&self) -> DateTime {
        DateTime::stored(self.0.created_at)
    }

    /// When it was edited or moved last.
    async fn updated_at(&self) -> DateTime {
        DateTime::stored(self.0.updated_at)
    }

    /// When it was submitted last.
    async fn submitted_at(&self) -> Option<DateTime> {
        self.0.submitted_at.map(DateTime::stored)
    }

    /// When it came into force.
    async fn published_at(&self) -> Option<DateTime> {
        self.0.published_at.map(DateTime::stored)
    }

    /// When it was superseded, retired or discarded.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime::stored)
    }
}

/// A field that differs. Values are JSON, null where there was none.
#[derive(SimpleObject)]
pub struct FieldChange {
    /// Its name.
    field: String,
    /// What it was.
    from: Json<serde_json::Value>,
    /// What it is.
    to: Json<serde_json::Value>,
}

/// A step or a section that differs.
#[derive(SimpleObject)]
pub struct PartChange {
    /// Its key, the same on both sides.
    key: String,
    /// How it differs.
    kind: PartChangeKind,
    /// Its index before, from 0.
    from_index: Option<i32>,
    /// Its index now, from 0.
    to_index: Option<i32>,
    /// The fields that differ.
    fields: Vec<FieldChange>,
}

/// What changed from one version to another.
#[derive(SimpleObject)]
pub struct VersionDiff {
    /// The earlier version.
    pub from: Version,
    /// The later version.
    pub to: Version,
    /// Changed fields outside steps and sections.
    fields: Vec<FieldChange>,
    /// Sections added, removed, moved or changed.
    sections: Vec<PartChange>,
    /// Steps added, removed, moved or changed.
    steps: Vec<PartChange>,
}

impl VersionDiff {
    /// Compares two versions.
    pub async fn between(ctx: &Context<'_>, from: Version, to: Version) -> Result<Self> {
        let (before, after) = (document(ctx, &from.0.content_hash).await?, document(ctx, &to.0.content_hash).await?);
        let domain::Diff { fields, sections, steps } = domain::diff(&before, &after);
        Ok(Self { from, to, fields: show_fields(fields), sections: show_parts(sections), steps: show_parts(steps) })
    }
}

fn show_fields(changes: Vec<domain::FieldChange>) -> Vec<FieldChange> {
    let show = |c: domain::FieldChange| FieldChange { field: c.field, from: Json(c.from), to: Json(c.to) };
    changes.into_iter().map(show).collect()
}

fn show_parts(changes: Vec<domain::PartChange>) -> Vec<PartChange> {
    let index = |i: Option<usize>| i.and_then(|i| i32::try_from(i).ok());
    let show = |c: domain::PartChange| PartChange {
        key: c.key,
        kind: c.kind.into(),
        from_index: index(c.from_index),
        to_index: index(c.to_index),
        fields: show_fields(c.fields),
    };
    changes.into_iter().map(show).collect()
}
