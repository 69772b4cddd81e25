//! Against values of other implementations.

use proptest::prelude::*;

use super::*;
use crate::metrics::Ranks;

fn close(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1e-3), "{found} is not {wanted}");
}

/// Runs from times and what happened then: 0 open, 1 completed, 2 abandoned, as other programs have it.
fn runs(times: &[u64], events: &[u8]) -> Vec<(u64, Standing)> {
    let standing = |event| match event {
        0 => Standing::Open,
        1 => Standing::Completed,
        _ => Standing::Abandoned,
    };
    times.iter().zip(events).map(|(time, event)| (*time, standing(*event))).collect()
}

/// The 6-MP arm of Freireich 1963, a data set that most texts on survival use. The values are those of
/// `KaplanMeierFitter` of lifelines 0.30.3, with `qth_survival_times` of its confidence interval.
#[test]
fn agrees_with_kaplan_and_meier() {
    let times = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35];
    let events = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
    let found = Incidence::of_runs(runs(&times, &events));
    let wanted = [
        (6.0, 21, 0.142_857_142_857, 0.005_830_903_790),
        (7.0, 17, 0.193_277_310_924, 0.007_557_743_809),
        (10.0, 15, 0.247_058_823_529, 0.009_283_255_632),
        (13.0, 12, 0.309_803_921_569, 0.011_409_381_797),
        (16.0, 11, 0.372_549_019_608, 0.013_008_284_180),
        (22.0, 7, 0.462_184_873_950, 0.016_443_895_073),
        (23.0, 6, 0.551_820_728_291, 0.018_114_860_232),
    ];
    assert_eq!(found.points().len(), wanted.len());
    for (point, (time, at_risk, incidence, variance)) in found.points().iter().zip(wanted) {
        assert_eq!((point.time, point.at_risk), (time, at_risk));
        close(point.incidence, incidence);
        close(point.variance, variance);
    }
    let last = found.points()[6];
    let bound_is = |errors, left: f64| {
        let share = 1.0 - left;
        last.bound_reaches(share - 1e-6, errors) && !last.bound_reaches(share + 1e-6, errors)
    };
    assert!(bound_is(Z, 0.188_052) && bound_is(-Z, 0.680_143));
    let reached = |percent| found.percentile(percent).map(|r| (r.value, r.low(), r.high(), r.at_risk));
    assert_eq!(reached(10), Some((6.0, 6.0, Some(10.0), 21)));
    assert_eq!(reached(25), Some((13.0, 6.0, Some(22.0), 12)));
    assert_eq!(reached(50), Some((23.0, 13.0, None, 6)));
    assert_eq!(reached(60), None, "not reached");
    assert_eq!((found.runs(), found.open()), (21, 12));
}

const TIMES: [u64; 20] = [3, 5, 5, 7, 8, 8, 11, 12, 12, 14, 15, 18, 18, 21, 24, 27, 30, 33, 40, 41];
const EVENTS: [u8; 20] = [1, 1, 2, 1, 0, 1, 1, 2, 0, 1, 1, 1, 0, 2, 1, 0, 1, 0, 1, 0];

/// Untied: the values are those of `AalenJohansenFitter(calculate_variance=True)` of lifelines 0.30.3.
#[test]
fn agrees_with_aalen_and_johansen() {
    let apart: Vec<u64> = TIMES.iter().enumerate().map(|(i, time)| time * 10 + i as u64).collect();
    let found = Incidence::of_runs(runs(&apart, &EVENTS));
    let wanted = [
        (30.0, 20, 0.05, 0.002_375),
        (51.0, 19, 0.1, 0.004_5),
        (73.0, 17, 0.15, 0.006_375),
        (85.0, 15, 0.203_333_333_333, 0.008_265_370_370),
        (116.0, 14, 0.256_666_666_667, 0.009_847_592_593),
        (149.0, 11, 0.314_848_484_848, 0.011_478_660_294),
        (160.0, 10, 0.373_030_303_030, 0.012_691_716_476),
        (191.0, 9, 0.431_212_121_212, 0.013_486_761_138),
        (254.0, 6, 0.497_705_627_706, 0.014_357_252_739),
        (316.0, 4, 0.580_822_510_823, 0.015_491_797_181),
        (418.0, 2, 0.705_497_835_498, 0.016_426_790_854),
    ];
    assert_eq!(found.points().len(), wanted.len());
    for (point, (time, at_risk, incidence, variance)) in found.points().iter().zip(wanted) {
        assert_eq!((point.time, point.at_risk), (time, at_risk));
        close(point.incidence, incidence);
        close(point.variance, variance);
    }
}

/// Tied: lifelines shifts ties apart by chance, so these are from sums over fractions by the definition, in Python.
#[test]
fn agrees_with_the_definition_where_runs_are_tied() {
    let found = Incidence::of_runs(runs(&TIMES, &EVENTS));
    let wanted = [
        (3.0, 20, 0.05, 0.002_375),
        (5.0, 19, 0.1, 0.004_5),
        (7.0, 17, 0.15, 0.006_375),
        (8.0, 16, 0.2, 0.008),
        (11.0, 14, 0.253_571_428_571, 0.009_641_308_309),
        (14.0, 11, 0.312_012_987_013, 0.011_332_086_960),
        (15.0, 10, 0.370_454_545_455, 0.012_597_047_544),
        (18.0, 9, 0.428_896_103_896, 0.013_436_190_059),
        (24.0, 6, 0.495_686_456_401, 0.014_351_759_253),
        (30.0, 4, 0.579_174_397_032, 0.015_535_598_055),
        (40.0, 2, 0.704_406_307_978, 0.016_522_112_788),
    ];
    assert_eq!(found.points().len(), wanted.len());
    for (point, (time, at_risk, incidence, variance)) in found.points().iter().zip(wanted) {
        assert_eq!((point.time, point.at_risk), (time, at_risk));
        close(point.incidence, incidence);
        close(point.variance, variance);
    }
    assert_eq!(found.percentile(50).map(|r| (r.value, r.at_risk)), Some((30.0, 4)));
    assert_eq!(found.percentile(75), None, "what was abandoned is never completed");
}

#[test]
fn says_nothing_of_nothing() {
    let nothing = Incidence::of_runs([]);
    assert_eq!((nothing.percentile(50), nothing.runs()), (None, 0));
    let open = Incidence::of_runs([(5, Standing::Open), (9, Standing::Open)]);
    assert_eq!((open.percentile(1), open.open()), (None, 2));
    let given_up = Incidence::of_runs([(5, Standing::Abandoned)]);
    assert_eq!(given_up.percentile(1), None);
    let one = Incidence::of_runs([(5, Standing::Completed)]);
    let reached = one.percentile(99).map(|r| (r.value, r.low(), r.high(), r.at_risk));
    assert_eq!(reached, Some((5.0, 5.0, None, 1)));
}

fn standings() -> impl Strategy<Value = Vec<(u64, Standing)>> {
    let standing = prop::sample::select(vec![Standing::Completed, Standing::Abandoned, Standing::Open]);
    prop::collection::vec((1_u64..90, standing), 1..80)
}

proptest! {
    /// Where nothing is open it is the nearest rank among all runs, with the abandoned ones never.
    #[test]
    fn is_nearest_rank_without_open_runs(times in prop::collection::vec(1_u64..1000, 1..120), given_up in 0_usize..30, p in 1_i64..100) {
        let mut times = times;
        let mut all: Vec<(u64, Standing)> = times.iter().map(|t| (*t, Standing::Completed)).collect();
        all.extend((0..given_up).map(|i| (i as u64 * 31 + 1, Standing::Abandoned)));
        times.sort_unstable();
        let rank = usize::try_from(Ranks::of(p, i64::try_from(all.len()).unwrap()).unwrap().at).unwrap();
        let wanted = times.get(rank - 1).map(|micros| float(*micros));
        prop_assert_eq!(Incidence::of_runs(all).percentile(p).map(|r| r.value), wanted);
    }

    /// Up to 90 microseconds every bucket holds one number, so both ways in must lead to the same.
    #[test]
    fn histograms_say_the_same_as_runs(all in standings()) {
        let histogram = |wanted| {
            let mut out = Histogram::default();
            all.iter().filter(|(_, standing)| *standing == wanted).for_each(|(micros, _)| out.add(*micros, 1).unwrap());
            out
        };
        let (completed, abandoned) = (histogram(Standing::Completed), histogram(Standing::Abandoned));
        let found = Incidence::of_histograms(&completed, &abandoned, &histogram(Standing::Open));
        prop_assert_eq!(found, Incidence::of_runs(all));
    }

    /// By the definition, S by its own product: the incidences of both ends and what is left are all there is.
    #[test]
    fn agrees_with_the_definition(all in standings()) {
        let found = Incidence::of_runs(all.clone());
        let exchanged = all.iter().map(|(micros, standing)| (*micros, match standing {
            Standing::Completed => Standing::Abandoned,
            Standing::Abandoned => Standing::Completed,
            Standing::Open => Standing::Open,
        }));
        let given_up = Incidence::of_runs(exchanged);
        let (mut left, mut f, mut points) = (1.0, 0.0, found.points().iter());
        let times: std::collections::BTreeSet<u64> = all.iter().map(|(micros, _)| *micros).collect();
        for time in times {
            let count = |wanted: &dyn Fn(&(u64, Standing)) -> bool| float(all.iter().filter(|run| wanted(run)).count() as u64);
            let n = count(&|run| run.0 >= time);
            let completed = count(&|run| *run == (time, Standing::Completed));
            let abandoned = count(&|run| *run == (time, Standing::Abandoned));
            f += left * completed / n;
            left *= 1.0 - (completed + abandoned) / n;
            if completed > 0.0 {
                let point = points.next().unwrap();
                prop_assert!((point.incidence - f).abs() < 1e-12 && point.variance >= 0.0);
            }
        }
        let last = |incidence: &Incidence| incidence.points().last().map_or(0.0, |p| p.incidence);
        prop_assert!((last(&found) + last(&given_up) + left - 1.0).abs() < 1e-9);
    }
}
