//! A small world, explored exhaustively: four people, a delegation, two stages, a version in force and one that is to
//! follow, and the SOP's retirement. From every state that can be reached every person tries everything, the clock
//! publishes, time passes, the policy is changed. Each step is checked as those of random lives are.
//!
//! What makes it finite, and what does not matter and is left out of a state:
//! - ids, labels and revisions are told apart only from each other: what is tried names the current ones, the one before,
//!   or none that exists;
//! - what a version says is told apart only from what it said when its request was opened;
//! - of the versions that are gone only the last that was in force is kept, of the requests only that which is open, or
//!   by which the approved version came to be so;
//! - of time it matters whether the delegation is in force and whether the effective date has come, and it goes on;
//! - the order of decisions, and how often one was taken back, which nothing may depend on here;
//! - one thread of comments at a time: who began it, and whether it is settled.
//!
//! A sample of the states that were reached by several ways is tried again from another of them: the same has to follow.
//!
//! Left to the random lives: other teams, accounts of one person, other roles, sign-ins, hand-overs, incomplete content.

mod graph;
mod small;

use std::collections::BTreeSet;

use graph::Graph;

/// Fewer than these, and something is no longer explored.
const STATES: usize = 10_000;
const STEPS: usize = 100_000;

/// What has to be among the steps.
const REACHED: &[&str] = &[
    "published at once",
    "published by the clock",
    "published as editorial",
    "published with two of a kind",
    "published on behalf of somebody",
    "published though a decision was taken back",
    "published with comments resolved",
    "published under a policy that changed meanwhile",
    "superseded",
    "retired",
    "retired with an open draft",
    "retirement decided on behalf",
    "revived",
    "rejected",
    "rejected while comments are open",
    "withdrawn",
    "approved, then discarded",
    "approved while comments are open",
    "given up before it was published",
    "decision taken back",
    "decided again",
    "decided on behalf again",
    "another's comment resolved",
    "comment opened again",
];

#[test]
fn every_invariant_holds_in_every_state_of_a_small_world() {
    let graph = Graph::explore().unwrap_or_else(|why| panic!("{why}"));
    let (states, steps) = (graph.states(), graph.steps());
    println!(
        "{states} states of a small world, {steps} steps between them, {} levels deep; {} actions allowed, {} refused; \
         {} states tried again from where another way leads",
        graph.levels, graph.allowed, graph.refused, graph.again
    );
    assert!(states >= STATES, "only {states} states were reached");
    assert!(steps >= STEPS, "only {steps} steps were made");
    let missing: BTreeSet<&str> = REACHED.iter().copied().filter(|what| !graph.seen.contains(what)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}, of {:?}", graph.seen);
    assert!(graph.again >= 100, "only {} states were tried again", graph.again);
    let stuck = graph.never_again_published();
    assert!(stuck.is_none(), "from here on nothing can be published: {stuck:?}");
}
