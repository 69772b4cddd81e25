//! Draws from a seeded generator.

use rand::Rng;
use rand::rngs::StdRng;

/// A value of a log-normal distribution with this median; `sigma` is the standard deviation of the logarithm.
pub fn log_normal(median: f64, sigma: f64, rng: &mut StdRng) -> f64 {
    // Box and Muller's transform; 1 - u lies in (0, 1], so that the logarithm is finite.
    let (u, v) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    median * (sigma * normal).exp()
}

/// The index of one of the weights, each as likely as it is heavy; 0 when all are 0.
pub fn weighted(weights: impl Iterator<Item = u32> + Clone, rng: &mut StdRng) -> usize {
    let total: u32 = weights.clone().sum();
    let mut left = rng.random_range(0..total.max(1));
    let mut weights = weights;
    weights
        .position(|weight| {
            let here = left < weight;
            left = left.saturating_sub(weight);
            here
        })
        .unwrap_or(0)
}

/// 0, or with this probability 1, seldom 2.
pub fn count(probability: f64, rng: &mut StdRng) -> i32 {
    if rng.random_bool(probability) { 1 + i32::from(rng.random_bool(0.2)) } else { 0 }
}
