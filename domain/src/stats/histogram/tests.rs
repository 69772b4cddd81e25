//! That counts are exact, percentiles close, and bytes canonical.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Durations of all magnitudes, with zero, powers of two and their neighbours among them.
fn micros() -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0_u64),
        4 => (0_u32..63, any::<u64>()).prop_map(|(bits, value)| value >> (63 - bits)),
        2 => (0_u32..63, 0_u64..3).prop_map(|(bits, off)| ((1_u64 << bits) + off).saturating_sub(1)),
        4 => 30_000_000_u64..3_000_000_000,
    ]
}

fn durations() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(micros(), 0..60)
}

fn of(durations: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    for micros in durations {
        histogram.add(*micros, 1).unwrap();
    }
    histogram
}

fn merged(left: &Histogram, right: &Histogram) -> Histogram {
    let mut out = left.clone();
    out.merge(right).unwrap();
    out
}

proptest! {
    #[test]
    fn counts_are_exact_in_whatever_order(mut all in durations()) {
        let histogram = of(&all);
        let mut counted: BTreeMap<Bucket, u64> = BTreeMap::new();
        for micros in &all {
            *counted.entry(Bucket::of(*micros)).or_default() += 1;
        }
        prop_assert_eq!(histogram.count(), all.len() as u64);
        prop_assert_eq!(histogram.buckets().collect::<BTreeMap<_, _>>(), counted);
        all.reverse();
        prop_assert_eq!(of(&all), histogram);
    }

    #[test]
    fn what_was_added_can_be_taken_away(a in durations(), b in durations()) {
        let (left, right) = (of(&a), of(&b));
        let both = merged(&left, &right);
        prop_assert_eq!(&both, &of(&[a, b].concat()));
        prop_assert_eq!(&both, &merged(&right, &left));
        let mut less = Change::from(both);
        less.merge(&Change::from(right).inverse()).unwrap();
        prop_assert_eq!(less, Change::from(left));
    }

    #[test]
    fn percentiles_are_within_the_error_of_nearest_rank(mut all in prop::collection::vec(micros(), 1..300), p in 1_i64..100) {
        let histogram = of(&all);
        all.sort_unstable();
        let ranks = Ranks::of(p, i64::try_from(all.len()).unwrap()).unwrap();
        let found = histogram.percentile(p).unwrap();
        let low = (found.low > 0.0 || ranks.low > 0).then_some(found.low);
        for (rank, value) in [(ranks.at, Some(found.value)), (ranks.low, low), (ranks.high, found.high)] {
            let exact = usize::try_from(rank - 1).ok().and_then(|place| all.get(place));
            prop_assert_eq!(value.is_some(), exact.is_some(), "{:?}", ranks);
            let (Some(value), Some(exact)) = (value, exact.map(|micros| float(*micros))) else { continue };
            prop_assert!((value - exact).abs() <= exact * 0.005_416, "{} for {}", value, exact);
        }
    }

    #[test]
    fn bytes_are_canonical(a in durations(), b in durations()) {
        let (left, right) = (of(&a), of(&b));
        let (x, y) = (Histogram::decode(&left.encode()).unwrap(), Histogram::decode(&right.encode()).unwrap());
        prop_assert_eq!((&x, &y), (&left, &right));
        let both = merged(&left, &right).encode();
        prop_assert_eq!(merged(&x, &y).encode(), both.clone());
        prop_assert_eq!(Histogram::decode(&both).unwrap(), merged(&x, &y));
        prop_assert_eq!(left == right, left.encode() == right.encode());
    }

    /// Whatever is read is written as it was: so there is one form only.
    #[test]
    fn other_bytes_are_refused(a in durations(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = of(&a).encode();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
            prop_assert!(Histogram::decode(&bytes).is_err());
        } else {
            bytes[at] = byte;
            if let Ok(read) = Histogram::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_back_or_refused(bytes in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..20)) {
        if let Ok(read) = Histogram::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes.clone());
        }
        if let Ok(read) = Change::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn changes_lead_from_one_to_another(a in durations(), b in durations(), c in durations()) {
        let (a, b, c) = (of(&a), of(&b), of(&c));
        let (first, second) = (Change::between(&a, &b), Change::between(&b, &c));
        let mut led = Change::from(a.clone());
        led.merge(&first).unwrap();
        prop_assert_eq!(led, Change::from(b.clone()));
        let mut both = second.clone();
        both.merge(&first).unwrap();
        prop_assert_eq!(&both, &Change::between(&a, &c), "in whatever order they are merged");
        prop_assert_eq!(&Change::decode(&both.encode()).unwrap(), &both);
        both.merge(&Change::between(&c, &a)).unwrap();
        prop_assert!(both.is_empty());
        prop_assert_eq!(first.clone().inverse(), Change::between(&b, &a));
    }
}

#[test]
fn malformed_bytes_say_what_is_wrong() {
    use Malformed::{Bucket as NoBucket, NotReduced, Number, Overflow, Trailing, Truncated, Version};
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let cases: [(&[u8], Malformed); 16] = [
        (&[], Truncated),
        (&[0, 0], Version(0)),
        (&[2, 0], Version(2)),
        (&[3, 0], Version(3)),
        (&[1], Truncated),
        (&[1, 1], Truncated),
        (&[1, 1, 0], Truncated),
        (&[1, 1, 0, 0x80], Truncated),
        (&[1, 0, 0], Trailing),
        (&[1, 0x80, 0], Number),
        (&[1, 1, 0, 0x81, 0], Number),
        (&[1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], Number),
        (&[1, 1, 2, 0], NoBucket),
        (&[1, 1, 0xff, 0x7f, 0], NoBucket),
        (&[1, 1, 0xff, 0xff, 0x07, 0], NoBucket),
        (&[1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Overflow),
    ];
    for (bytes, problem) in cases {
        assert_eq!(Histogram::decode(bytes), Err(problem), "{bytes:?}");
    }
    let sum = [&[1, 2, 0][..], &most[..], &[0, 0]].concat();
    assert_eq!(Histogram::decode(&sum), Err(Overflow), "each count fits, but not their sum");
    assert_eq!(Change::decode(&[2, 1, 0, 0, 0]), Err(NotReduced), "takes nothing away");
    assert_eq!(Change::decode(&[2, 1, 0, 4, 1, 0, 2]), Err(NotReduced), "adds and takes away in one bucket");
    assert_eq!(Change::decode(&[2, 0, 1, 0, 2, 0]), Err(Trailing));
    assert_eq!(Change::decode(&[2, 0, 1, 0, 2]).unwrap().removed(), &of(&[0, 0, 0]));
}

/// A stored blob of today must be read for ever: this one is written down.
#[test]
fn the_first_version_is_as_it_was() {
    let mut histogram = of(&[0, 1, 60_000_000, 60_000_001, 90_000_000]);
    histogram.add(3_600_000_000, 1000).unwrap();
    assert_eq!(hex::encode(histogram.encode()), "010500000000f50c012500d302e707");
}

#[test]
fn counting_ends_before_the_databases_do() {
    let mut histogram = of(&[5]);
    assert_eq!(histogram.add(7, MOST_RUNS), Err(TooMany));
    assert_eq!(histogram.merge(&histogram.clone()), Ok(()));
    histogram.add(7, MOST_RUNS - 2).unwrap();
    assert_eq!(histogram.merge(&of(&[1])), Err(TooMany));
    histogram.add(9, 0).unwrap();
    assert_eq!(histogram.buckets().count(), 2, "none with a count of zero");
    assert_eq!(Histogram::decode(&histogram.encode()).unwrap(), histogram);
    assert_eq!((histogram.at_rank(0), histogram.at_rank(2), histogram.at_rank(3)), (None, Some(5.0), Some(7.0)));
    assert_eq!(Histogram::default().percentile(50), None);
}
