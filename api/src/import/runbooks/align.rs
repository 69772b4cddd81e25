//! Which step of a file is which step of the content that it replaces, so that a step keeps its key when its wording
//! changes: diffs and figures by step follow the key.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use sopwith_domain::content::{Content, Step};

/// What a pair weighs that was found before: more than any number of others together.
const FOUND: usize = 1 << 20;
/// What two steps weigh for standing at the same place.
const PLACE: usize = 40;
/// What they weigh beside that when they have all their words in common.
const WORDS: usize = 100;

/// Gives the steps of `content` the keys that they have in `replaced`. Those that are new there keep the keys that they
/// came with, unless a key means another step already: in this content, in `replaced` or in one of the `earlier`.
pub fn keep_keys(content: &mut Content, replaced: &Content, earlier: &[Content]) {
    let pairs = pair(replaced, content);
    let kept = |old: &Option<usize>| old.map(|i| replaced.steps[i].key.clone());
    let mut taken: BTreeSet<String> = pairs.iter().filter_map(kept).collect();
    let before: Vec<&Step> = earlier.iter().chain([replaced]).flat_map(|c| &c.steps).collect();
    let mut renamed = BTreeMap::new();
    for (step, old) in content.steps.iter_mut().zip(&pairs) {
        let key = kept(old).unwrap_or_else(|| free(step, &taken, &before));
        taken.insert(key.clone());
        renamed.insert(std::mem::replace(&mut step.key, key.clone()), key);
    }
    for branch in content.steps.iter_mut().flat_map(|step| &mut step.branches) {
        if let Some(key) = renamed.get(&branch.go_to) {
            branch.go_to.clone_from(key);
        }
    }
}

/// The step's own key, or else the first numbered one that nobody ever had.
fn free(step: &Step, taken: &BTreeSet<String>, before: &[&Step]) -> String {
    let another = before.iter().any(|old| old.key == step.key && old.instruction != step.instruction);
    if !another && !taken.contains(&step.key) {
        return step.key.clone();
    }
    let unused = |key: &String| !taken.contains(key) && before.iter().all(|old| old.key != *key);
    // One of so many numbers is free.
    let numbers = 2..=taken.len() + before.len() + 2;
    numbers.map(|n| format!("{}-{n}", step.key)).find(unused).unwrap_or_default()
}

/// For each step of `new` the one of `old` that it is: first those that say the same in the same order, then those
/// that say the same elsewhere, and between those, in order, what stands in the same section.
fn pair(old: &Content, new: &Content) -> Vec<Option<usize>> {
    let same = |i: usize, j: usize| says(&old.steps[i]) == says(&new.steps[j]);
    let size = (old.steps.len(), new.steps.len());
    let in_place = in_order(size, |i, j| usize::from(same(i, j)));
    let mut found = in_place.clone();
    let mut met: BTreeSet<usize> = found.iter().flatten().copied().collect();
    for (j, found) in found.iter_mut().enumerate().filter(|(_, found)| found.is_none()) {
        *found = (0..size.0).find(|&i| !met.contains(&i) && same(i, j));
        met.extend(*found);
    }
    let likeness = Likeness::of(old, new);
    let changed = in_order(size, |i, j| match in_place[j] {
        Some(fixed) if fixed == i => FOUND,
        None if found[j].is_none() && !met.contains(&i) => likeness.weigh(i, j),
        _ => 0,
    });
    found.into_iter().zip(changed).map(|(found, changed)| found.or(changed)).collect()
}

/// What makes a step the same to the letter.
fn says(step: &Step) -> (&str, &str, Vec<&str>) {
    (&step.instruction, &step.detail, step.code_blocks.iter().map(|code| code.text.as_str()).collect())
}

/// How alike two steps are that do not say the same.
struct Likeness<'a> {
    old: Vec<(Place<'a>, BTreeSet<&'a str>)>,
    new: Vec<(Place<'a>, BTreeSet<&'a str>)>,
}

/// Key and heading of a section.
type Place<'a> = (&'a str, &'a str);

impl<'a> Likeness<'a> {
    fn of(old: &'a Content, new: &'a Content) -> Self {
        let read = |content: &'a Content| content.steps.iter().map(|s| (place(content, s), words(s))).collect();
        Self { old: read(old), new: read(new) }
    }

    /// Nothing in different sections.
    fn weigh(&self, i: usize, j: usize) -> usize {
        let ((here, before), (there, after)) = (&self.old[i], &self.new[j]);
        if here.0 != there.0 && (here.1.is_empty() || here.1 != there.1) {
            return 0;
        }
        let common = before.intersection(after).count();
        PLACE + WORDS * 2 * common / (before.len() + after.len()).max(1)
    }
}

fn place<'a>(content: &'a Content, step: &'a Step) -> Place<'a> {
    let section = content.sections.iter().find(|section| section.key == step.section);
    (&step.section, section.map_or("", |section| &section.heading))
}

fn words(step: &Step) -> BTreeSet<&str> {
    let (instruction, detail, codes) = says(step);
    [instruction, detail].into_iter().chain(codes).flat_map(str::split_whitespace).collect()
}

/// The heaviest choice of pairs of `old` and `new` places that do not cross; for each new place its old one. Of
/// choices of one weight, the one that pairs earliest.
fn in_order((old, new): (usize, usize), weight: impl Fn(usize, usize) -> usize) -> Vec<Option<usize>> {
    // What can be reached from each pair of places onwards.
    let mut best = vec![vec![0; new + 1]; old + 1];
    for i in (0..old).rev() {
        for j in (0..new).rev() {
            let paired = weight(i, j) + best[i + 1][j + 1];
            best[i][j] = paired.max(best[i + 1][j]).max(best[i][j + 1]);
        }
    }
    let mut pairs = vec![None; new];
    let (mut i, mut j) = (0, 0);
    while i < old && j < new {
        let weight = weight(i, j);
        if weight > 0 && best[i][j] == weight + best[i + 1][j + 1] {
            pairs[j] = Some(i);
            (i, j) = (i + 1, j + 1);
        } else if best[i][j] == best[i][j + 1] {
            j += 1;
        } else {
            i += 1;
        }
    }
    pairs
}
