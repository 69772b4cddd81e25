//! Random people do random things to procedures. After each of them the code under test, a set of tables that carries
//! out the same effects under guards, and a history of who did and saw what have to agree, and every invariant of the
//! lifecycle and of approvals has to hold. `PROPTEST_CASES` sets how many sequences are tried.

mod actions;
mod cast;
mod history;
mod laws;
mod oracle;
mod table;
mod world;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use actions::{Move, moves};
use world::World;

/// Nothing, or what does not hold.
type Checked = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}
use ensure;

fn live(moves: &[Move]) -> Result<World, String> {
    let mut world = World::new();
    for (n, made) in moves.iter().enumerate() {
        made.make(&mut world).map_err(|why| format!("at move {n}: {why}"))?;
    }
    for (n, procedure) in &world.procedures {
        let rows = world.tables.procedure(cast::sop_id(*n));
        ensure!(rows.as_ref() == Some(procedure), "the tables end otherwise: {rows:#?}, not {procedure:#?}");
    }
    Ok(world)
}

proptest! {
    #[test]
    fn every_invariant_holds_after_every_step(moves in moves()) {
        live(&moves).map_err(TestCaseError::fail)?;
    }
}

/// What random lives have to reach, or the property above would say little.
const REACHED: [&str; 25] = [
    "published at once",
    "published by the clock",
    "published as editorial",
    "published through three stages",
    "superseded",
    "retired",
    "retired with an open draft",
    "revived",
    "handed over",
    "rejected",
    "withdrawn",
    "approved, then discarded",
    "given up before it was published",
    "a taken process refuses another SOP",
    "own work not decided",
    "second decision refused",
    "incomplete content refused",
    "editorial refused",
    "submission refused",
    "stale revision refused",
    "other content refused",
    "other target refused",
    "missing reason refused",
    "old sign-in refused",
    "published with two of a kind",
];

#[test]
fn random_lives_reach_every_row_of_the_table() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..300 {
        let moves = moves().new_tree(&mut runner).expect("moves can always be made").current();
        let world = live(&moves).expect("every invariant holds");
        world.seen.iter().for_each(|(what, n)| *seen.entry(what).or_default() += n);
    }
    let missing: Vec<&str> = REACHED.into_iter().filter(|what| !seen.contains_key(what)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}, of {seen:#?}");
}
