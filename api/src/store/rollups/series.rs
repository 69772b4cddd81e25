//! What a row of the roll-ups is of: a series, a length of time, and a beginning.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::rollup::{Aggregate, Delta, Key};
use sopwith_domain::time::Timestamp;
use uuid::{Builder, Uuid};

use crate::error::{Error, Result};

/// What the runs of a series have in common. Sums over more are kept beside those of the key, so that a question about
/// many runs reads few rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) enum Scope {
    /// Nothing: all runs.
    All,
    /// Process, SOP and version.
    Version,
    /// The team.
    Team,
    /// Process, SOP, version and team.
    Key,
}

impl Scope {
    pub(in crate::store) const ALL: [Self; 4] = [Self::All, Self::Version, Self::Team, Self::Key];

    pub(in crate::store) fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Version => "VERSION",
            Self::Team => "TEAM",
            Self::Key => "KEY",
        }
    }

    /// The lengths of time that its sums are kept by. Hours of every version would be as many as there are runs.
    pub(in crate::store) fn grains(self) -> &'static [Grain] {
        match self {
            Self::All | Self::Key => &[Grain::Hour, Grain::Day, Grain::Month],
            Self::Version | Self::Team => &[Grain::Day, Grain::Month],
        }
    }
}

/// A series of sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Series {
    pub(in crate::store) scope: Scope,
    pub(in crate::store) process: Option<Uuid>,
    pub(in crate::store) sop: Option<Uuid>,
    pub(in crate::store) version: Option<Uuid>,
    pub(in crate::store) team: Option<Uuid>,
}

impl Series {
    pub(in crate::store) fn of(scope: Scope, key: Key) -> Self {
        let (version, team) = (matches!(scope, Scope::Version | Scope::Key), matches!(scope, Scope::Team | Scope::Key));
        Self {
            scope,
            process: version.then_some(key.process),
            sop: key.sop.filter(|_| version),
            version: key.version.filter(|_| version),
            team: key.team.filter(|_| team),
        }
    }

    /// Its id follows from what it is of, so that nothing has to be looked up to find its rows.
    pub(in crate::store) fn id(&self) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(self.scope.as_str());
        for part in [self.process, self.sop, self.version, self.team] {
            hash.update(part.unwrap_or_default());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Builder::from_custom_bytes(id).into_uuid()
    }
}

/// What a row is of.
pub(in crate::store) type Place = (Series, Grain, Timestamp);

/// What each row is or changes by, in their order.
pub(in crate::store) type Sums = BTreeMap<Place, Aggregate>;

/// Adds a delta to every row that it belongs to.
///
/// # Errors
/// When there would be more runs than can be counted.
pub(in crate::store) fn spread(sums: &mut Sums, zone: Zone, delta: &Delta) -> Result<()> {
    for (key, hour, aggregate) in delta.cells() {
        for scope in Scope::ALL {
            let series = Series::of(scope, key);
            for grain in scope.grains() {
                let start = if *grain == Grain::Hour { hour } else { zone.start(*grain, hour) };
                sums.entry((series, *grain, start)).or_default().merge(aggregate).map_err(Error::internal)?;
            }
        }
    }
    Ok(())
}

impl std::str::FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| format!("'{text}' is not a scope"))
    }
}
