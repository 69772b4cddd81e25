//! Runs that are read one by one, beside how many the roll-ups say they are: of one moment, and of the time from which none
//! was deleted.

use sea_orm::DatabaseTransaction;
use sopwith_domain::calendar::{Cover, Grain};
use sopwith_domain::rollup::Tally;
use sopwith_domain::time::Timestamp;

use super::groups::Groups;
use super::{Question, read};
use crate::error::Result;
use crate::store::executions::FiguresReach;
use crate::store::{Store, rollups};

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
        let question = Question { from: Some(self.from), to: Some(self.to), ..question.clone() };
        let cover = Cover::of(self.store.zone(), (self.from, self.to), Grain::Month).trimmed(self.store.zone(), now);
        let mut groups = Groups::new(&question, self.store.zone(), &cover, now);
        read::sums(&self.tx, who, &question, (&cover, self.store.form()), now, &mut groups).await?;
        read::runs(&self.tx, who, &question, &cover.edges, &mut groups).await?;
        Ok(groups.figures()?.pop().map(|figures| figures.tally).unwrap_or_default())
    }

    /// Ends the look.
    pub(super) async fn end(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}
