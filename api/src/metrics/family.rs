//! Const metrics: families built anew at each scrape, so that nothing in them can be stale.

use prometheus::TextEncoder;
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary};
use sopwith_domain::stats::significant;

use crate::store::figures::Figures;

/// A family in the making.
pub struct Family(MetricFamily);

type Labels<'a> = [(&'a str, &'a str)];

impl Family {
    pub fn gauge(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::GAUGE)
    }

    pub fn summary(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::SUMMARY)
    }

    fn new(name: &str, help: &str, kind: MetricType) -> Self {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Self(family)
    }

    /// Adds a value.
    pub fn set(&mut self, labels: &Labels, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_gauge(gauge);
        metric.set_label(pairs(labels));
        self.0.mut_metric().push(metric);
    }

    /// Adds the completion times of runs, with the open ones counted in.
    pub fn completion(&mut self, labels: &Labels, figures: &Figures) {
        let incidence = figures.incidence();
        // Where too few are completed there is no such time.
        let quantile = |percent: i64| {
            let mut quantile = Quantile::default();
            quantile.set_quantile(float(percent) / 100.0);
            quantile.set_value(significant(incidence.percentile(percent)?.value) / 1e6);
            Some(quantile)
        };
        let mut summary = Summary::default();
        summary.set_quantile([50, 90, 95].into_iter().filter_map(quantile).collect());
        summary.set_sample_sum(float(figures.tally.completion_millis) / 1e3);
        summary.set_sample_count(figures.completed.count());
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_summary(summary);
        self.0.mut_metric().push(metric);
    }
}

fn pairs(labels: &Labels) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}

/// Microseconds as seconds.
pub fn seconds(micros: i64) -> f64 {
    float(micros) / 1e6
}

/// A count as Prometheus takes it.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and Prometheus has no other numbers")]
pub fn float(count: i64) -> f64 {
    count as f64
}

/// The text of families; those without a series are left out.
pub fn encode(families: Vec<Family>) -> prometheus::Result<String> {
    let mut families: Vec<MetricFamily> = families.into_iter().map(|family| family.0).collect();
    families.retain(|family| !family.get_metric().is_empty());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    TextEncoder::new().encode_to_string(&families)
}
