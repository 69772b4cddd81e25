use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

#[test]
fn days_begin_at_the_midnight_of_the_zone() {
    let berlin = zone("Europe/Berlin");
    let start = |grain, text| berlin.start(grain, at(text)).to_string();
    assert_eq!(start(Grain::Day, "2026-07-01T21:59:59Z"), "2026-06-30T22:00:00Z");
    assert_eq!(start(Grain::Day, "2026-07-01T22:00:00Z"), "2026-07-01T22:00:00Z");
    assert_eq!(start(Grain::Week, "2026-07-01T12:00:00Z"), "2026-06-28T22:00:00Z");
    assert_eq!(start(Grain::Month, "2026-07-31T22:30:00Z"), "2026-07-31T22:00:00Z");
    assert_eq!(start(Grain::Month, "2026-01-31T22:30:00Z"), "2025-12-31T23:00:00Z");
    assert_eq!(start(Grain::Hour, "2026-07-01T21:59:59Z"), "2026-07-01T21:00:00Z");
}

#[test]
fn days_of_23_and_25_hours_and_days_without_midnight() {
    let berlin = zone("Europe/Berlin");
    let length = |zone: Zone, text: &str| {
        let start = zone.start(Grain::Day, at(text));
        zone.next(Grain::Day, start).since(start)
    };
    assert_eq!(length(berlin, "2026-03-29T12:00:00Z"), 23 * HOUR);
    assert_eq!(length(berlin, "2026-10-25T12:00:00Z"), 25 * HOUR);
    // In Beirut clocks went from 0:00 to 1:00 on 31 March 2024.
    let beirut = zone("Asia/Beirut");
    assert_eq!(beirut.start(Grain::Day, at("2024-03-31T12:00:00Z")).to_string(), "2024-03-30T22:00:00Z");
    assert_eq!(length(beirut, "2024-03-31T12:00:00Z"), 23 * HOUR);
}

#[test]
fn months_are_counted_back_in_the_zone() {
    let berlin = zone("Europe/Berlin");
    let before = |text, months| berlin.months_before(at(text), months).to_string();
    assert_eq!(before("2026-05-31T21:59:59Z", 0), "2026-04-30T22:00:00Z");
    assert_eq!(before("2026-05-31T22:00:00Z", 3), "2026-02-28T23:00:00Z");
    assert_eq!(before("2026-03-31T12:00:00Z", 1), "2026-01-31T23:00:00Z");
    assert_eq!(before("2026-03-31T12:00:00Z", 14), "2024-12-31T23:00:00Z");
    assert_eq!(berlin.months_before(at("2026-03-31T12:00:00Z"), u32::MAX), Timestamp::MIN);
}

#[test]
fn hours_are_those_of_the_clocks() {
    let kolkata = zone("Asia/Kolkata");
    assert_eq!(kolkata.start(Grain::Hour, at("2026-07-01T10:29:00Z")).to_string(), "2026-07-01T09:30:00Z");
    assert_eq!("Mars/Olympus".parse::<Zone>(), Err(UnknownZone));
    // Where they are put back by an hour within one, at 3:45 here, the hour shown goes on.
    let chatham = zone("Pacific/Chatham");
    assert_eq!(chatham.start(Grain::Hour, at("2026-04-04T14:10:00Z")).to_string(), "2026-04-04T13:15:00Z");
    assert_eq!(chatham.next(Grain::Hour, at("2026-04-04T13:15:00Z")).to_string(), "2026-04-04T14:15:00Z");
    // There clocks are put back from 2:00 to 1:30, and forward from 2:00 to 2:30.
    let island = zone("Australia/Lord_Howe");
    for hours in [
        ["2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"],
        ["2026-10-03T14:30:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z", "2026-10-03T17:00:00Z"],
    ] {
        for pair in hours.map(at).windows(2) {
            assert_eq!(island.next(Grain::Hour, pair[0]), pair[1]);
            assert_eq!(island.start(Grain::Hour, pair[1].plus(-1)), pair[0]);
        }
    }
}

#[test]
fn all_time_is_one_stretch_of_the_coarsest() {
    let all = Cover::of(zone("Europe/Berlin"), (Timestamp::MIN, Timestamp::MAX), Grain::Month);
    assert_eq!(all.whole, [(Grain::Month, (Timestamp::MIN, Timestamp::MAX))]);
    assert_eq!(all.edges, []);
    let since = Cover::of(Zone::UTC, (at("2026-01-31T23:30:00Z"), Timestamp::MAX), Grain::Day);
    assert_eq!(since.whole, [(Grain::Day, (at("2026-02-01T00:00:00Z"), Timestamp::MAX))]);
    assert_eq!(since.edges, [(at("2026-01-31T23:30:00Z"), at("2026-02-01T00:00:00Z"))]);
}

proptest! {
    #[test]
    fn every_instant_lies_in_one(
        name in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", "America/Havana", "Pacific/Apia"]),
        grain in prop::sample::select(Grain::ALL),
        micros in 0..2_000_000_000 * SECOND,
    ) {
        let (zone, at) = (zone(name), Timestamp::from_micros(micros));
        let start = zone.start(grain, at);
        let next = zone.next(grain, start);
        prop_assert!(start <= at && at < next, "{start} {at} {next}");
        prop_assert_eq!(zone.start(grain, start), start);
        prop_assert_eq!(zone.start(grain, next), next);
        prop_assert_eq!(zone.start(grain, next.plus(-1)), start);
        prop_assert!(grain != Grain::Hour || zone.start(Grain::Day, start) == zone.start(Grain::Day, at));
        prop_assert!(next.since(start) <= 31 * DAY + 2 * HOUR);
    }

    #[test]
    fn a_cover_has_every_instant_once(
        name in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", "America/Havana"]),
        coarsest in prop::sample::select(vec![Grain::Hour, Grain::Day, Grain::Month]),
        from in 0..2_000_000_000 * SECOND,
        length in 0..800 * DAY,
    ) {
        let zone = zone(name);
        let (from, to) = (Timestamp::from_micros(from), Timestamp::from_micros(from + length));
        let cover = Cover::of(zone, (from, to), coarsest);
        let mut all: Vec<Stretch> = cover.whole.iter().map(|(_, stretch)| *stretch).collect();
        all.extend(&cover.edges);
        all.sort_unstable();
        let mut reached = from;
        for (start, end) in &all {
            prop_assert_eq!(*start, reached);
            prop_assert!(start < end);
            reached = *end;
        }
        prop_assert_eq!(reached, to);
        for (grain, (start, end)) in &cover.whole {
            prop_assert_eq!((zone.start(*grain, *start), zone.start(*grain, *end)), (*start, *end));
        }
        prop_assert!(cover.edges.iter().all(|(start, end)| end.since(*start) < HOUR) || cover.whole.is_empty());
        // At most months, and days and hours on both sides.
        prop_assert!(cover.whole.len() <= 5 && cover.edges.len() <= 2);
    }

    #[test]
    fn a_trimmed_cover_has_the_same_hours_in_fewer_rows(
        name in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham", "America/Havana"]),
        from in 0..2_000_000_000 * SECOND,
        length in 0..200 * DAY,
        now in 0..2_000_000_000 * SECOND,
        near in any::<bool>(),
    ) {
        let zone = zone(name);
        let (from, to) = (Timestamp::from_micros(from), Timestamp::from_micros(from + length));
        let now = if near { to } else { Timestamp::from_micros(now) };
        let plain = Cover::of(zone, (from, to), Grain::Month);
        let cover = plain.clone().trimmed(zone, now);
        prop_assert_eq!((cover.hours(), &cover.edges), (plain.hours(), &plain.edges));
        let has = |(start, end): Stretch, at: Timestamp| i32::from(start <= at && at < end);
        let mut hour = zone.start(Grain::Hour, from.plus(-70 * DAY));
        while hour < to.plus(70 * DAY) {
            let whole: i32 = cover.whole.iter().map(|(_, stretch)| has(*stretch, hour)).sum();
            let months: i32 = cover.trimmed.iter().map(|t| has(t.month, hour) - has(t.less, hour)).sum();
            prop_assert_eq!(whole + months, plain.hours().map_or(0, |hours| has(hours, hour)), "{}", hour);
            hour = hour.plus(7 * HOUR);
            hour = zone.start(Grain::Hour, hour);
        }
        for Trimmed { month, less } in &cover.trimmed {
            prop_assert_eq!((zone.start(Grain::Month, month.0), zone.next(Grain::Month, month.0)), *month);
            for end in [less.0, less.1] {
                prop_assert_eq!(zone.start(Grain::Day, end), end);
            }
        }
        let days = |(from, to): Stretch| to.min(now.max(from)).since(from) / DAY;
        let rows = |cover: &Cover| -> i64 {
            let by_day = cover.whole.iter().filter(|(grain, _)| *grain == Grain::Day).map(|(_, stretch)| days(*stretch));
            let trimmed = cover.trimmed.iter().map(|t| 1 + days(t.less));
            by_day.sum::<i64>() + trimmed.sum::<i64>()
        };
        prop_assert!(rows(&cover) + i64::from(!cover.trimmed.is_empty()) <= rows(&plain));
    }
}

#[test]
fn months_take_the_place_of_most_of_their_days() {
    let cover = |from, to, now| Cover::of(Zone::UTC, (at(from), at(to)), Grain::Month).trimmed(Zone::UTC, at(now));
    let day = |text: &str| at(&format!("{text}T00:00:00Z"));
    let (january, march) = ((day("2026-01-01"), day("2026-02-01")), (day("2026-03-01"), day("2026-04-01")));
    let found = cover("2026-01-03T12:30:00Z", "2026-03-26T00:00:00Z", "2026-03-25T09:00:00Z");
    assert_eq!(
        found.whole,
        [
            (Grain::Hour, (at("2026-01-03T13:00:00Z"), day("2026-01-04"))),
            (Grain::Month, (day("2026-02-01"), day("2026-03-01"))),
        ]
    );
    assert_eq!(
        found.trimmed,
        [
            Trimmed { month: january, less: (day("2026-01-01"), day("2026-01-04")) },
            Trimmed { month: march, less: (day("2026-03-26"), day("2026-04-01")) },
        ]
    );
    // Of days that are over there is as much to read as of others.
    let days = (Grain::Day, (day("2026-03-01"), day("2026-03-10")));
    let later = cover("2026-01-20T00:00:00Z", "2026-03-10T00:00:00Z", "2026-06-01T00:00:00Z");
    assert_eq!((later.whole.last(), later.trimmed.as_slice()), (Some(&days), [].as_slice()));
    let now = cover("2026-01-20T00:00:00Z", "2026-03-10T00:00:00Z", "2026-03-10T00:00:00Z");
    assert_eq!(now.trimmed, [Trimmed { month: march, less: (day("2026-03-10"), day("2026-04-01")) }]);
    // Without an end, most of the days are still to come.
    let open = Cover::of(Zone::UTC, (day("2026-04-10"), Timestamp::MAX), Grain::Month);
    assert_eq!(open.clone().trimmed(Zone::UTC, day("2026-04-12")), open);
    // What has no month has none to trim.
    let short = cover("2026-03-02T00:00:00Z", "2026-03-31T00:00:00Z", "2026-03-31T00:00:00Z");
    assert_eq!((short.whole.len(), short.trimmed.len()), (1, 0));
}
