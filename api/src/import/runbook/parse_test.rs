//! Each rule on a small text.

use std::fmt::Write;

use proptest::prelude::*;
use sopwith_domain::content::{Content, MAX_TEXT, Section};

use super::parse::parse;

fn read(markdown: &str) -> (Content, Vec<String>) {
    let (content, notes) = parse("team/Full.md", markdown).unwrap();
    assert_eq!(content.check_complete(), []);
    (content, notes)
}

fn section<'c>(content: &'c Content, key: &str) -> &'c Section {
    content.sections.iter().find(|s| s.key == key).unwrap()
}

fn instructions(content: &Content) -> Vec<&str> {
    content.steps.iter().map(|s| s.instruction.as_str()).collect()
}

const NUMBERED: &str = "\
# DiskFull

## Meaning

A disk is *nearly* full.

## Impact

Writes fail.

## Diagnosis

Look first:

1. Find the disk on the `node`:

   ```console
   $ df -h | grep data
     /dev/sda1  100%
   ```

   * It may be a second one.
     - Or a third.

2. Ask the [storage team](https://storage.example/ask).

Go on when it is known.
";

#[test]
fn a_numbered_list_becomes_steps_with_code_and_detail() {
    let (content, notes) = read(NUMBERED);
    assert_eq!(content.title, "DiskFull");
    assert_eq!(content.objective, "A disk is *nearly* full.");
    assert_eq!(content.audience, ["team"]);
    assert_eq!(content.change_log.what, "Imported from team/Full.md");
    let wanted = ["Find the disk on the `node`:", "Ask the [storage team](https://storage.example/ask)."];
    assert_eq!(instructions(&content), wanted);
    let step = &content.steps[0];
    assert_eq!((step.key.as_str(), step.section.as_str()), ("find-the-disk-on-the-node", "diagnosis"));
    assert_eq!((step.role.as_str(), step.mandatory), ("on-call engineer", true));
    assert_eq!(step.code_blocks[0].language, "console");
    assert_eq!(step.code_blocks[0].text, "$ df -h | grep data\n  /dev/sda1  100%");
    assert_eq!(step.detail, "[code 1]\n\n* It may be a second one.\n  - Or a third.");
    assert_eq!(step.tools, ["df", "grep"]);
    let reference = &content.references[0];
    assert_eq!((reference.standard.as_str(), reference.url.as_str()), ("storage team", "https://storage.example/ask"));
    assert_eq!(notes, ["the role \"on-call engineer\" is assumed"]);
}

#[test]
fn text_outside_of_a_list_stays_in_sections_in_reading_order() {
    let (content, _) = read(NUMBERED);
    let sections: Vec<_> = content.sections.iter().map(|s| (s.heading.as_str(), s.body.as_str())).collect();
    let wanted = [
        ("Impact", "Writes fail."),
        ("Diagnosis", "Look first:"),
        ("Diagnosis (continued)", "Go on when it is known."),
    ];
    assert_eq!(sections, wanted);
}

#[test]
fn without_a_list_the_action_headings_become_steps() {
    let text = "# Down\n\n## Meaning\n\nIt is down.\n\n## Diagnosis\n\nThis is how:\n\n### Slow disk\n\n\
                Run\n\n```sh\nfio x\n```\n\n\
                then\n\n    oc get x\n\nand look.\n\n## Mitigation\n\nRestart it.\n\n## Escalation\n\nCall.\n";
    let (content, notes) = read(text);
    assert_eq!(instructions(&content), ["Diagnose: Slow disk", "Mitigate Down", "Escalate Down"]);
    let step = &content.steps[0];
    assert_eq!(step.detail, "Run\n\n[code 1]\n\nthen\n\n[code 2]\n\nand look.");
    assert_eq!(step.code_blocks[1].text, "oc get x");
    assert_eq!(step.tools, ["fio", "oc"]);
    assert_eq!((step.section.as_str(), content.steps[1].detail.as_str()), ("diagnosis", "Restart it."));
    assert_eq!(section(&content, "diagnosis").body, "This is how:");
    assert!(notes.contains(&"no numbered list: steps from headings".to_owned()));
}

#[test]
fn a_list_in_one_action_section_leaves_the_others_to_their_headings() {
    let text =
        "# Down\n\n## Diagnosis\n\n1. Look.\n\n## Mitigation\n\nRestart it.\n\n### Recommended Actions\n\n1. Wait.\n";
    let (content, notes) = read(text);
    assert_eq!(instructions(&content), ["Look.", "Wait."]);
    assert_eq!(section(&content, "mitigation").body, "Restart it.");
    assert_eq!(content.steps[1].section, "mitigation-recommended-actions");
    let (content, _) = read("# Down\n\n## Diagnosis\n\n1. Look.\n\n## Mitigation\n\nRestart it.\n");
    assert_eq!(instructions(&content), ["Look.", "Mitigate Down"]);
    assert!(notes.iter().any(|n| n.starts_with("no statement of the problem")));
}

#[test]
fn what_stands_between_lists_that_count_on_belongs_to_the_entry_before() {
    let text = "# X\n\n## Fix\n\n1) Ask:\n\n```bash\noc get a\n```\n\nThen wait.\n\n\
                2) Answer:\n- one\n  - two\n\nDone.\n\n1. Again.\n";
    let (content, _) = read(&text.replace("## Fix", "## Mitigation"));
    assert_eq!(instructions(&content), ["Ask:", "Answer:", "Again."]);
    assert_eq!(content.steps[0].code_blocks[0].text, "oc get a");
    assert_eq!(content.steps[0].detail, "[code 1]\n\nThen wait.");
    assert_eq!(content.steps[1].detail, "- one\n  - two");
    assert_eq!(section(&content, "mitigation-2").body, "Done.");
}

#[test]
fn text_with_code_beside_a_list_is_a_step() {
    let (content, _) = read("# X\n\n## Diagnosis\n\n1. Look.\n\nOr list them:\n\n```\nkubectl get x\n```\n\nall.\n");
    assert_eq!(instructions(&content), ["Look.", "Or list them:"]);
    assert_eq!(content.steps[1].detail, "[code 1]\n\nall.");
    assert_eq!(content.steps[1].tools, ["kubectl"]);
}

#[test]
fn tools_are_commands_and_neither_output_nor_values() {
    let code = "# first\n$ NODE='<value of label>'\n$ sudo oc debug \"$NODE\" \\\n  | jq .\n\
                kubectl is mentioned\nsh-4.4$ mytool -x\n$ oc x\n";
    let yaml = "```yaml\nceph status\n```";
    let (content, _) = read(&format!("# X\n\n## Mitigation\n\n```console\n{code}```\n\n{yaml}\n"));
    assert_eq!(content.steps[0].tools, ["oc", "jq", "mytool"]);
    let (content, _) = read("# X\n\n## Mitigation\n\n```bash\nX=$(ceph -s); /usr/bin/df -h\nhealth: ok\nof the\n```\n");
    assert_eq!(content.steps[0].tools, ["ceph", "df"]);
}

#[test]
fn the_indentation_of_an_entry_is_taken_away_and_no_more() {
    let (content, _) =
        read("# X\n\n## Mitigation\n\n 1. Look\n    at it.\n    * a\n      - b\n    * c\nlazy\n\n      > d\n");
    assert_eq!(instructions(&content), ["Look at it."]);
    assert_eq!(content.steps[0].detail, "* a\n  - b\n* c\nlazy\n\n  > d");
}

#[test]
fn an_entry_that_begins_with_code_gets_the_instruction_of_its_heading() {
    let (content, _) = read("# X\n\n## Diagnosis\n\n1. ```sh\n   oc get x\n   ```\n2.     indented\n");
    assert_eq!(instructions(&content), ["Diagnose X", "Diagnose X"]);
    assert_eq!(content.steps[0].code_blocks[0].text, "oc get x");
    assert_eq!(content.steps[1].code_blocks[0].text, "indented");
    assert_eq!([&content.steps[0].key, &content.steps[1].key], ["diagnose-x", "diagnose-x-2"]);
}

#[test]
fn an_edit_elsewhere_does_not_shift_keys() {
    let keys = |text: &str| -> Vec<String> { read(text).0.steps.into_iter().map(|s| s.key).collect() };
    let before = keys(NUMBERED);
    let after = keys(&NUMBERED.replace("Look first:\n\n1. ", "1. Breathe.\n2. "));
    assert_eq!(after[0], "breathe");
    assert_eq!(after[1..], before);
}

#[test]
fn front_matter_gives_a_missing_title_and_is_kept() {
    let text = "---\ntitle: \"Disk: full\"\nweight: 20\n---\n\n## Mitigation\n\nDelete.\n\n---\n\nrule: no\n\n---\n";
    let (content, notes) = read(text);
    assert_eq!(content.title, "Disk: full");
    assert!(notes[0].contains("front matter"), "{notes:?}");
    assert_eq!(content.steps[0].detail, "Delete.\n\n---\n\nrule: no\n\n---");
    let kept = section(&content, "front-matter");
    assert_eq!(kept.body, "```yaml\ntitle: \"Disk: full\"\nweight: 20\n```");
    let (content, _) = read("## Mitigation\n\nDelete.\n");
    assert_eq!(content.title, "Full");
}

#[test]
fn broken_front_matter_is_kept_as_text() {
    let (content, notes) = read("---\na: [b\n---\n# X\n\n## Mitigation\n\nDelete.\n");
    assert!(section(&content, "front-matter").body.contains("a: [b"));
    assert!(notes.iter().any(|n| n.contains("no YAML")), "{notes:?}");
}

#[test]
fn the_objective_comes_from_the_introduction_or_else_from_the_title() {
    let (content, notes) = read("# X\n\nIt breaks.\n\n## Mitigation\n\nMend it.\n");
    assert_eq!(content.objective, "It breaks.");
    assert!(notes.iter().any(|n| n.contains("before the first heading")));
    let (content, _) =
        read("# X\n\nIntro.\n\n## Meaning\n\nMeant.\n\n### More\n\nMuch.\n\n## Mitigation\n\nMend it.\n");
    assert_eq!(content.objective, "Meant.");
    assert_eq!(section(&content, "introduction").body, "Intro.");
    assert_eq!(section(&content, "meaning").body, "### More\n\nMuch.");
    let (content, notes) = read("# X\n\n## Mitigation\n\nMend it.\n");
    assert!(content.objective.contains('X') && content.objective.contains("Derived from the title"));
    assert!(notes.iter().any(|n| n.contains("derived")));
}

#[test]
fn reference_links_carry_their_address_wherever_they_stand() {
    let text = "# X\n\n## Meaning\n\nSee [the *docs*][1] and [b c][].\n\n## Mitigation\n\n1. Read [Doc].\n\n\
                [1]: https://a.example/1\n[b c]: <https://b.example/x y> \"B\"\n[doc]: https://c.example/(3)\n\
                [unused]: https://d.example/4\n";
    let (content, _) = read(text);
    assert_eq!(content.objective, "See [the *docs*](https://a.example/1) and [b c](<https://b.example/x y> \"B\").");
    assert_eq!(content.steps[0].instruction, "Read [Doc](<https://c.example/(3)>).");
    assert_eq!(content.steps[0].detail, "[unused]: https://d.example/4");
    let urls: Vec<_> = content.references.iter().map(|r| r.url.as_str()).collect();
    assert_eq!(urls, ["https://a.example/1", "https://b.example/x y", "https://c.example/(3)"]);
}

#[test]
fn a_hundred_links_become_references_and_the_rest_is_counted() {
    let mut text = "# X\n\n## Mitigation\n\n[here](x.md)\n".to_owned();
    for i in 0..102 {
        write!(text, "[{i}](https://a.example/{i}) [again](https://a.example/{i})\n\n").unwrap();
    }
    let (content, notes) = read(&text);
    assert_eq!(content.references.len(), 100);
    assert!(notes.contains(&"links in the text but not among the references: 4".to_owned()), "{notes:?}");
    assert!(notes.contains(&"links to other files of the folder: 1".to_owned()), "{notes:?}");
}

#[test]
fn without_action_headings_lists_and_commands_call_for_action() {
    let (content, _) = read("# Access the box\n\nRun this:\n\n    oc rsh box\n");
    assert_eq!(instructions(&content), ["Work through: Access the box"]);
    assert_eq!(content.steps[0].section, "procedure");
    let (content, _) = read("# Health\n\nWhy.\n\n## Pods\n\n```bash\noc get pods\n```\n\n## Facts\n\nNone.\n");
    assert_eq!(instructions(&content), ["Work through: Pods"]);
    assert_eq!((content.objective.as_str(), section(&content, "facts").body.as_str()), ("Why.", "None."));
}

#[test]
fn what_is_no_procedure_is_refused_with_the_reason() {
    let reason = |text: &str| parse("README.md", text).unwrap_err();
    assert_eq!(reason(""), "empty: no text");
    assert_eq!(reason("---\ntitle: x\n---\n\n"), "front matter only: no text");
    assert!(reason("# About\n\nThis repository holds runbooks.\n\n## Layout\n\n* a\n* b\n").starts_with("no action"));
    assert!(reason("# X\n\n## Mitigation\n").starts_with("no action"));
    assert!(reason("# X\n\n## Mitigation\n\na\0b\n").contains("U+0000"));
    let many = "1. Do.\n".repeat(501);
    assert!(reason(&format!("# X\n\n## Mitigation\n\n{many}")).contains("at most 500 entries"));
    let large = format!("# X\n\n## Mitigation\n\n{}", "some text\n".repeat(120_000));
    assert!(reason(&large).starts_with("too large"));
}

#[test]
fn long_texts_are_split_and_not_cut() {
    let long = |word: &str| format!("{word}\n").repeat(MAX_TEXT / word.len());
    let text = format!(
        "# {}\n\n## Meaning\n\n{}\n## Impact\n\n{}\n## Mitigation\n\n{}\n```sh\n{}```\n",
        "t".repeat(600),
        long("meaning"),
        long("impact"),
        long("mitigation"),
        long("code"),
    );
    let (content, _) = read(&text);
    let all = serde_json::to_string(&content).unwrap();
    for word in ["meaning", "impact", "mitigation", "code"] {
        assert!(all.matches(&format!("{word}\\n")).count() + 5 >= MAX_TEXT / word.len(), "{word}");
    }
    assert_eq!(section(&content, "full-title").body, "t".repeat(600));
    assert!(content.sections.iter().any(|s| s.heading == "Impact (continued)"));
    assert_eq!(content.steps[0].code_blocks.len(), 2);
}

#[test]
fn line_ends_and_byte_order_mark_make_no_difference() {
    let marked = format!("\u{feff}{}", NUMBERED.replace('\n', "\r\n"));
    assert_eq!(read(&marked), read(NUMBERED));
}

/// Lines that meet in unexpected ways: how they begin, and what follows.
const LEAD: [&str; 15] =
    ["", "", "", "# ", "## Diagnosis ", "## ", "### ", "1. ", "2) ", "- ", "> ", "    ", "   - ", "   ", "   1. "];
const REST: [&str; 14] =
    ["", "", "```", "```sh", "oc get", "---", "| a | b |", "[x][l", "[l", "]: ", "<details>", "**b", "ü `", "$ jq"];

fn line() -> impl Strategy<Value = String> {
    (prop::sample::select(&LEAD[..]), prop::sample::select(&REST[..])).prop_map(|(a, b)| format!("{a}{b}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_lost_whatever_the_layout(lines in prop::collection::vec(line(), 0..30), front in any::<bool>()) {
        let mut text = if front { "---\ntitle: T\n---\n".to_owned() } else { String::new() };
        text.push_str("## Mitigation\n\nMend it.\n\n");
        for (i, line) in lines.iter().enumerate() {
            writeln!(text, "{line} word{i}end").unwrap();
        }
        let (content, _) = parse("a.md", &text).unwrap();
        prop_assert_eq!(content.check_complete(), vec![]);
        let all = serde_json::to_string(&content).unwrap();
        for i in 0..lines.len() {
            prop_assert!(all.contains(&format!("word{i}end")), "word{} is lost from\n{}", i, text);
        }
    }
}
