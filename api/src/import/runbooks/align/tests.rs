use sopwith_domain::content::{Branch, CodeBlock, Section};

use super::*;

/// A step by key and instruction, in the section `mitigation`.
fn step(key: &str, instruction: &str) -> Step {
    Step { key: key.into(), section: "mitigation".into(), instruction: instruction.into(), ..Step::default() }
}

fn content(steps: impl IntoIterator<Item = Step>) -> Content {
    let section = |key: &str, heading: &str| Section { key: key.into(), heading: heading.into(), body: String::new() };
    let sections = vec![section("diagnosis", "Diagnosis"), section("mitigation", "Mitigation")];
    Content { sections, steps: steps.into_iter().collect(), ..Content::default() }
}

/// What was there before; its keys are not what the reader would give.
fn before() -> Content {
    content([step("k1", "Look at the port"), step("k2", "Move the cable"), step("k3", "Report it to the team")])
}

/// The keys after alignment with [`before`].
fn keys(new: impl IntoIterator<Item = Step>) -> Vec<String> {
    keys_after(new, &[])
}

fn keys_after(new: impl IntoIterator<Item = Step>, earlier: &[Content]) -> Vec<String> {
    let mut new = content(new);
    keep_keys(&mut new, &before(), earlier);
    let keys: Vec<_> = new.steps.into_iter().map(|step| step.key).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:?}");
    keys
}

fn look() -> Step {
    step("look", "Look at the port")
}

fn cable() -> Step {
    step("move", "Move the cable")
}

fn report() -> Step {
    step("report", "Report it to the team")
}

#[test]
fn the_same_steps_keep_their_keys() {
    assert_eq!(keys([look(), cable(), report()]), ["k1", "k2", "k3"]);
    assert_eq!(keys([]), [""; 0]);
}

#[test]
fn an_edited_step_keeps_its_key() {
    let edited = step("put", "Put in a new cable");
    assert_eq!(keys([look(), edited.clone(), report()]), ["k1", "k2", "k3"]);
    let detailed = Step { detail: "Not the red one.".into(), ..cable() };
    assert_eq!(keys([look(), detailed, report()]), ["k1", "k2", "k3"]);
    let block = CodeBlock { language: String::new(), text: "ip link".into() };
    assert_eq!(keys([Step { code_blocks: vec![block], ..look() }, edited, report()]), ["k1", "k2", "k3"]);
    let others = ["a", "b", "c"].map(|key| step(key, key));
    assert_eq!(keys(others), ["k1", "k2", "k3"], "in order when nothing is alike");
}

#[test]
fn an_inserted_step_gets_a_key_of_its_own() {
    let wait = || step("wait", "Wait a minute");
    assert_eq!(keys([wait(), look(), cable(), report()]), ["wait", "k1", "k2", "k3"]);
    assert_eq!(keys([look(), cable(), wait(), report()]), ["k1", "k2", "wait", "k3"]);
    assert_eq!(keys([look(), cable(), report(), wait()]), ["k1", "k2", "k3", "wait"]);
}

#[test]
fn a_removed_step_takes_its_key_with_it() {
    assert_eq!(keys([look(), report()]), ["k1", "k3"]);
    assert_eq!(keys([cable()]), ["k2"]);
}

#[test]
fn a_moved_step_keeps_its_key() {
    assert_eq!(keys([report(), look(), cable()]), ["k3", "k1", "k2"]);
    assert_eq!(keys([cable(), look(), report()]), ["k2", "k1", "k3"]);
    let elsewhere = Step { section: "diagnosis".into(), ..report() };
    assert_eq!(keys([elsewhere, look(), cable()]), ["k3", "k1", "k2"]);
}

#[test]
fn of_an_edit_and_an_insertion_the_edited_one_keeps_the_key() {
    let (edited, wait) = (|| step("move-2", "Move the other cable"), || step("wait", "Wait a minute"));
    assert_eq!(keys([look(), edited(), wait(), report()]), ["k1", "k2", "wait", "k3"]);
    assert_eq!(keys([look(), wait(), edited(), report()]), ["k1", "wait", "k2", "k3"]);
    // The first when neither is like what was there.
    assert_eq!(keys([look(), wait(), step("go", "Go home"), report()]), ["k1", "k2", "go", "k3"]);
    // What moved away is not there to be paired with.
    assert_eq!(keys([look(), wait(), report(), cable()]), ["k1", "wait", "k3", "k2"]);
}

#[test]
fn a_changed_step_of_another_section_is_another() {
    let elsewhere = Step { section: "diagnosis".into(), ..step("put", "Put in a new cable") };
    assert_eq!(keys([look(), elsewhere, report()]), ["k1", "put", "k3"]);
    // The section is the same when its heading is, whatever its key.
    let mut new = content([look(), step("put", "Put in a new cable"), report()]);
    new.sections[1].key = "steps".into();
    for step in &mut new.steps {
        step.section = "steps".into();
    }
    keep_keys(&mut new, &before(), &[]);
    assert_eq!(new.steps[1].key, "k2");
}

#[test]
fn no_key_comes_to_mean_another_step() {
    let added = |key| step(key, "Wait a minute");
    assert_eq!(keys([look(), cable(), report(), added("k2")]), ["k1", "k2", "k3", "k2-2"]);
    let gone = Step { section: "diagnosis".into(), ..added("k2") };
    assert_eq!(keys([look(), gone, report()]), ["k1", "k2-2", "k3"], "though the step of that key is gone");
    let earlier = [content([step("wait", "Wait an hour"), step("wait-2", "Wait a day")])];
    assert_eq!(keys_after([look(), cable(), report(), added("wait")], &earlier), ["k1", "k2", "k3", "wait-3"]);
    let earlier = [content([added("wait")])];
    assert_eq!(keys_after([look(), cable(), report(), added("wait")], &earlier), ["k1", "k2", "k3", "wait"]);
}

#[test]
fn branches_follow_the_keys() {
    let branch = |to: &str| Branch { condition: "it flaps".into(), go_to: to.into() };
    let mut new = content([Step { branches: vec![branch("report"), branch("")], ..look() }, cable(), report()]);
    keep_keys(&mut new, &before(), &[]);
    let to: Vec<_> = new.steps[0].branches.iter().map(|branch| branch.go_to.as_str()).collect();
    assert_eq!(to, ["k3", ""]);
}
