//! Chance for simulations in tests.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use statrs::distribution::{Beta, ContinuousCDF};

/// A source of chance with a seed.
pub struct Chance(Pcg32);

impl Chance {
    pub fn new(seed: u64) -> Self {
        // Not the numbers that a bootstrap of the same seed draws.
        Self(Pcg32::seed_from_u64(!seed))
    }

    /// Between 0 and 1, without either.
    pub fn uniform(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from((u64::from(self.0.next_u32()) * n as u64) >> 32).unwrap()
    }

    /// How many of `n` come true with probability `p` each.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        (0..n).filter(|_| self.uniform() < p).count() as u64
    }
}

/// Quantiles of the beta distribution with this mean and an intra-class correlation of 0.1, to be drawn from: what
/// probabilities people have, when their hits have that correlation (it is `1 / (a + b + 1)`).
pub fn probabilities(mean: f64) -> Vec<f64> {
    let beta = Beta::new(mean * 9.0, (1.0 - mean) * 9.0).unwrap();
    (0..500).map(|i| beta.inverse_cdf((f64::from(i) + 0.5) / 500.0)).collect()
}
