//! Runs that are read one by one, beside how many the roll-ups say they are: of one moment, and of the time from which none
//! was deleted.

use sea_orm::DatabaseTransaction;
use sopwith_domain::calendar::{Cover, Zone};
use sopwith_domain::rollup::Tally;
use sopwith_domain::time::{MINUTE, Timestamp};

use super::groups::Groups;
use super::{Figures, Question, coarsest, read};
use crate::error::Result;
use crate::store::executions::FiguresReach;
use crate::store::rollups::COHORT;
use crate::store::{Store, rollups};

/// A quarter of an hour, in microseconds.
const QUARTER: i64 = 15 * MINUTE;

/// A time of which all runs are there, as it is at one moment.
pub(super) struct Kept<'a> {
    store: &'a Store,
    /// Sees that moment.
    pub(super) tx: DatabaseTransaction,
    /// From this time on.
    pub(super) from: Timestamp,
    /// Until before this time.
    pub(super) to: Timestamp,
}

impl<'a> Kept<'a> {
    /// Begins to look at what is kept of a time: without what may have been deleted.
    pub(super) async fn begin(store: &'a Store, (from, to): (Timestamp, Timestamp)) -> Result<Self> {
        let tx = store.snapshot().await?;
        let kept = rollups::kept_from(&tx).await?.unwrap_or(Timestamp::MIN);
        Ok(Self { store, tx, from: from.max(kept.min(to)), to })
    }

    /// Whether there is nothing to look at.
    pub(super) fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// Counts of the runs of this time that are asked for, all together, as figures have them.
    pub(super) async fn totals(&self, who: &FiguresReach, question: &Question, now: Timestamp) -> Result<Tally> {
        let question = Question { bucket: None, ..question.clone() };
        Ok(self.figures(who, &question, now).await?.pop().map(|figures| figures.tally).unwrap_or_default())
    }

    /// Figures of the runs of this time that are asked for, in the groups that are asked for.
    pub(super) async fn figures(
        &self,
        who: &FiguresReach,
        question: &Question,
        now: Timestamp,
    ) -> Result<Vec<Figures>> {
        let zone = self.zone();
        let question = Question { from: Some(self.from), to: Some(self.to), ..question.clone() };
        let cover = Cover::of(zone, (self.from, self.to), coarsest(zone, &question)).trimmed(zone, now);
        let mut groups = Groups::new(&question, zone, &cover, now);
        read::sums(&self.tx, who, &question, (&cover, self.store.form()), now, &mut groups).await?;
        read::runs(&self.tx, who, &question, &cover.edges, &mut groups).await?;
        groups.figures()
    }

    /// The quarter of an hour that a run belongs to, as a column: with one of them days begin in every zone, since 1972.
    pub(super) fn quarter(&self) -> String {
        format!("({COHORT} - {}) / {QUARTER}", self.quarters_from())
    }

    /// When such a quarter of an hour begins.
    pub(super) fn start(&self, quarter: i64) -> Timestamp {
        Timestamp::from_micros(self.quarters_from().saturating_add(quarter.saturating_mul(QUARTER)))
    }

    /// The organisation's time zone, of which sums are kept.
    pub(super) fn zone(&self) -> Zone {
        self.store.zone()
    }

    /// From when quarters are counted, so that none lies before.
    fn quarters_from(&self) -> i64 {
        self.from.micros().div_euclid(QUARTER).saturating_mul(QUARTER)
    }

    /// Ends the look.
    pub(super) async fn end(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}
