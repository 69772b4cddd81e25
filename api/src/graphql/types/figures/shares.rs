//! Shares and rates: always with what they are made of, and how sure they are.

use async_graphql::{Object, SimpleObject};
use sopwith_domain::metrics as domain;

use crate::graphql::scalars::BigInt;

/// A 95 % interval.
#[derive(SimpleObject)]
#[graphql(serial)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

fn interval((low, high): (f64, f64)) -> Interval {
    Interval { low, high }
}

/// A share, such as of runs: never without what it is made of.
pub struct Ratio(pub domain::Ratio);

impl Ratio {
    /// So many of so many.
    pub fn of(numerator: i64, denominator: i64) -> Self {
        Self(domain::Ratio { numerator, denominator })
    }
}

/// A share, such as of runs: never without what it is made of.
#[Object(serial)]
impl Ratio {
    /// Those that have the property.
    async fn numerator(&self) -> BigInt {
        BigInt(self.0.numerator)
    }

    /// Those that could have it.
    async fn denominator(&self) -> BigInt {
        BigInt(self.0.denominator)
    }

    /// The share, from 0 to 1; null of nothing.
    async fn value(&self) -> Option<f64> {
        self.0.value()
    }

    /// Its 95 % interval (Wilson's score); null of nothing.
    async fn interval(&self) -> Option<Interval> {
        self.0.interval().map(interval)
    }
}

/// Events per thousand runs.
pub struct Rate(pub domain::Rate);

/// Events per thousand runs.
#[Object(serial)]
impl Rate {
    /// How many events.
    async fn events(&self) -> BigInt {
        BigInt(self.0.events)
    }

    /// In how many runs.
    async fn runs(&self) -> BigInt {
        BigInt(self.0.runs)
    }

    /// Events per thousand runs; null of nothing.
    async fn per_thousand(&self) -> Option<f64> {
        self.0.per_thousand()
    }

    /// Its 95 % interval, if events come independently (Freeman and Tukey); null of nothing.
    async fn interval(&self) -> Option<Interval> {
        self.0.interval().map(interval)
    }
}
