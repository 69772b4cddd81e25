//! Random people do random things to procedures. After each of them the code under test, a set of tables that carries
//! out the same effects under guards, and a history of who did and saw what have to agree, and every invariant of the
//! lifecycle and of approvals has to hold. `PROPTEST_CASES` sets how many sequences are tried.

mod actions;
mod cast;
mod documents;
mod explore;
mod facts;
mod given;
mod history;
mod laws;
mod oracle;
mod policies;
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
    let mut world = World::new(&cast::MANY);
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
    // Unlike the usual generator, this one takes no longer than what is tried.
    #![proptest_config(Config { rng_algorithm: RngAlgorithm::XorShift, ..Config::default() })]
    #[test]
    fn every_invariant_holds_after_every_step(moves in moves()) {
        live(&moves).map_err(TestCaseError::fail)?;
    }
}

/// So many random lives are asked where they went.
const LIVES: usize = 1_500;

/// What random lives have to reach, or the property above would say little.
const REACHED: &[&str] = &[
    // The table of the lifecycle.
    "published at once",
    "published by the clock",
    "published as editorial",
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
    "incomplete content refused",
    "editorial refused",
    "submission refused",
    "stale revision refused",
    "other target refused",
    "action without reason refused",
    // Policies.
    "published through three stages",
    "published through four stages",
    "published with two of a kind",
    "published with three of a kind",
    "published by a role for any team",
    "published by who signed in lately",
    "published under a policy that changed meanwhile",
    "other content refused",
    "missing reason refused",
    "old sign-in refused",
    "role not held refused",
    "role that gives out roles refused",
    // One person, one voice, and none on one's own work.
    "own work not decided",
    "second decision refused",
    "second account of a contributor refused",
    "decision by a second account refused",
    "decided after accounts turned out to be one person's",
    "approved without the votes of one person's other account",
    "approval over a stage that came to lack some refused",
    "begun from what others gave up",
    "decision taken back",
    "decided again",
    "decided on behalf again",
    "decision of a closed stage not taken back",
    "published though a decision was taken back",
    // Delegations.
    "delegated",
    "delegation to oneself refused",
    "delegation for no time refused",
    "delegation for too long refused",
    "delegation without reason refused",
    "delegation of no own role refused",
    "delegation of a delegated role refused",
    "delegation of a role that gives out roles refused",
    "decided on behalf",
    "decided on behalf for one team",
    "published on behalf of somebody",
    "retirement decided on behalf",
    "delegation that has not begun refused",
    "delegation that is over refused",
    "delegation of another role refused",
    "delegation for another team refused",
    "role no longer held by the delegator refused",
    "role that gives out roles refused under delegation",
    "chained delegation refused",
    "decision without delegation refused",
    "decision on one's own behalf refused",
    "decision after one's delegate refused",
    "delegate of a contributor refused",
    "delegate of who has decided refused",
    // Review comments.
    "commented",
    "comment of who only reads refused",
    "comment on what cannot come into force any more refused",
    "own comment resolved",
    "another's comment resolved",
    "comment opened again",
    "resolved comment not resolved again",
    "contributor resolves no comment of others",
    "second account of a contributor resolves no comment of others",
    "approval refused while comments are open",
    "approved while comments are open",
    "rejected while comments are open",
    "published with comments resolved",
];

#[test]
fn random_lives_reach_every_row_of_the_table() {
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[7; 16]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..LIVES {
        let moves = moves().new_tree(&mut runner).expect("moves can always be made").current();
        let world = live(&moves).expect("every invariant holds");
        world.seen.iter().for_each(|(what, n)| *seen.entry(what).or_default() += n);
    }
    println!("{LIVES} lives: {seen:#?}");
    let missing: Vec<&str> = REACHED.iter().copied().filter(|what| !seen.contains_key(what)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}, of {seen:#?}");
}
