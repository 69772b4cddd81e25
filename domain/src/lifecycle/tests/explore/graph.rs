//! Breadth first through all states, so that whatever is found wrong is found by a shortest way.

use std::collections::{BTreeSet, HashMap};

use super::super::world::World;
use super::small::{Event, State, events, start};

/// One of so many worlds that come to a known state by another way is tried again from there.
const SAMPLE: usize = 211;
/// How many worlds are gone on from before what follows is sorted: so many times some fifteen are kept in memory.
const PART: usize = 500;

pub struct Graph {
    /// The number of each state.
    known: HashMap<State, usize>,
    /// For each state how it was come to: from which, and by what.
    ways: Vec<Option<(usize, Event)>>,
    /// For each state which ones follow.
    next: Vec<BTreeSet<usize>>,
    pub seen: BTreeSet<&'static str>,
    pub refused: usize,
    /// How many actions were allowed.
    pub allowed: usize,
    pub levels: usize,
    /// How many states were tried again.
    pub again: usize,
}

/// What follows from one world: the event, and the world that it leads to.
struct Followed {
    steps: Vec<(Event, State, World)>,
    refused: usize,
}

impl Graph {
    pub fn explore() -> Result<Self, String> {
        let first = start();
        let mut graph = Self {
            known: HashMap::from([(State::of(&first), 0)]),
            ways: vec![None],
            next: vec![BTreeSet::new()],
            seen: BTreeSet::new(),
            refused: 0,
            allowed: 0,
            levels: 0,
            again: 0,
        };
        let (mut frontier, mut others) = (vec![(0, first)], Vec::new());
        while !frontier.is_empty() {
            graph.levels += 1;
            let mut coming = Vec::new();
            for part in frontier.chunks(PART) {
                for ((from, _), followed) in part.iter().zip(everywhere(part)) {
                    let followed = followed.map_err(|why| format!("{why}\nafter {:#?}", graph.way(*from)))?;
                    graph.take(*from, followed, &mut coming, &mut others);
                }
            }
            frontier = coming;
        }
        graph.try_again(&others)?;
        Ok(graph)
    }

    fn take(
        &mut self,
        from: usize,
        followed: Followed,
        coming: &mut Vec<(usize, World)>,
        others: &mut Vec<(usize, World)>,
    ) {
        self.refused += followed.refused;
        for (event, state, mut world) in followed.steps {
            self.seen.extend(world.seen.keys());
            world.seen.clear();
            self.allowed += 1;
            let count = self.known.len();
            let n = *self.known.entry(state).or_insert(count);
            if n == count {
                self.ways.push(Some((from, event)));
                self.next.push(BTreeSet::new());
                coming.push((n, world));
            } else if self.allowed.is_multiple_of(SAMPLE) {
                others.push((n, world));
            }
            self.next[from].insert(n);
        }
    }

    /// From a world that came to its state by another way the same states follow: what was left out does not matter.
    fn try_again(&mut self, others: &[(usize, World)]) -> Result<(), String> {
        for ((n, _), followed) in others.iter().zip(everywhere(others)) {
            let next: Option<BTreeSet<usize>> =
                followed?.steps.iter().map(|(_, state, _)| self.known.get(state).copied()).collect();
            if next.as_ref() != Some(&self.next[*n]) {
                return Err(format!("it matters by which way a state was come to: {:#?}", self.way(*n)));
            }
        }
        self.again = others.len();
        Ok(())
    }

    /// What led to a state.
    fn way(&self, to: usize) -> Vec<&Event> {
        let ways = std::iter::successors(self.ways[to].as_ref(), |(from, _)| self.ways[*from].as_ref());
        let mut way: Vec<&Event> = ways.map(|(_, event)| event).collect();
        way.reverse();
        way
    }

    pub fn states(&self) -> usize {
        self.known.len()
    }

    pub fn steps(&self) -> usize {
        self.next.iter().map(BTreeSet::len).sum()
    }

    /// The way to a state from which none can be reached in which a version is in force; there should be none.
    pub fn never_again_published(&self) -> Option<Vec<&Event>> {
        let mut before = vec![Vec::new(); self.next.len()];
        for (from, next) in self.next.iter().enumerate() {
            for to in next {
                before[*to].push(from);
            }
        }
        let mut hopeful = vec![false; self.next.len()];
        let mut found: Vec<usize> = self.known.iter().filter(|(s, _)| s.is_published()).map(|(_, n)| *n).collect();
        while let Some(n) = found.pop() {
            if !std::mem::replace(&mut hopeful[n], true) {
                found.extend(&before[n]);
            }
        }
        hopeful.iter().position(|hope| !hope).map(|n| self.way(n))
    }
}

/// What follows from each world, worked out on all processors.
fn everywhere(worlds: &[(usize, World)]) -> Vec<Result<Followed, String>> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let part = worlds.len().div_ceil(processors).max(1);
    std::thread::scope(|scope| {
        let follow_all = |part: &[(usize, World)]| part.iter().map(|(_, world)| follow(world)).collect::<Vec<_>>();
        let parts: Vec<_> = worlds.chunks(part).map(|part| scope.spawn(move || follow_all(part))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("nothing panics")).collect()
    })
}

fn follow(world: &World) -> Result<Followed, String> {
    let mut followed = Followed { steps: Vec::new(), refused: 0 };
    for event in events(world) {
        match event.after(world).map_err(|why| format!("{why} at {event:?}"))? {
            Some(after) => followed.steps.push((event, State::of(&after), after)),
            None => followed.refused += 1,
        }
    }
    Ok(followed)
}
