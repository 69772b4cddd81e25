//! Documents of which it is known by construction what is wrong with them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::content::{Branch, ChangeKind, Content, ContentHash, Document, Step};
use crate::time::Timestamp;

/// How many ways there are to differ in more than wording, each from all others.
pub const SHAPES: u8 = 9;
/// How many ways there are to be incomplete; 0 is complete.
pub const GAPS: u8 = 7;

/// A document in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spec {
    pub shape: u8,
    pub wording: u8,
    pub gap: u8,
    pub kind: ChangeKind,
    pub effective_at: Option<Timestamp>,
}

/// A document with its hash.
#[derive(Debug)]
pub struct Written {
    pub document: Document,
    pub hash: ContentHash,
}

thread_local! {
    /// Those written lately: to write one anew costs more than all rules that are tried on it.
    static WRITTEN: RefCell<BTreeMap<Spec, Rc<Written>>> = const { RefCell::new(BTreeMap::new()) };
}

impl Spec {
    pub fn written(&self) -> Rc<Written> {
        WRITTEN.with_borrow_mut(|known| {
            if known.len() > 200 {
                known.clear();
            }
            let write = || {
                let document = self.document();
                let hash = document.canonical().1;
                Rc::new(Written { document, hash })
            };
            Rc::clone(known.entry(*self).or_insert_with(write))
        })
    }

    pub fn hash(&self) -> ContentHash {
        self.written().hash
    }

    fn document(&self) -> Document {
        let mut content = Content {
            title: "Reset a password".to_owned(),
            objective: "People can sign in again".to_owned(),
            scope: format!("wording {}", self.wording),
            steps: vec![step("ask", self.wording), step("reset", self.wording)],
            ..Content::default()
        };
        (content.change_log.what, content.change_log.why) = ("all".to_owned(), "it was time".to_owned());
        self.give_shape(&mut content);
        self.leave_gap(&mut content);
        Document { kind: self.kind, effective_at: self.effective_at, content }
    }

    fn give_shape(&self, content: &mut Content) {
        let steps = &mut content.steps;
        match self.shape {
            1 => "auditor".clone_into(&mut steps[1].role),
            2 => steps.push(step("tell", self.wording)),
            3 => steps.swap(0, 1),
            4 => "is it the right person?".clone_into(&mut steps[0].checkpoint),
            5 => steps[1].mandatory = false,
            6 => steps[0].branches = vec![Branch { condition: "unknown".to_owned(), go_to: "reset".to_owned() }],
            7 => steps[0].expected_duration = Some(60),
            8 => "the line manager".clone_into(&mut steps[1].approval),
            _ => {}
        }
    }

    fn leave_gap(&self, content: &mut Content) {
        match self.gap {
            1 => content.objective.clear(),
            2 => content.steps[0].instruction.clear(),
            3 => content.steps[0].role = " ".to_owned(),
            4 => content.change_log.what.clear(),
            5 => content.change_log.why.clear(),
            6 => content.steps.clear(),
            _ => {}
        }
    }
}

fn step(key: &str, wording: u8) -> Step {
    let instruction = format!("{key} in other words {wording}");
    Step { key: key.to_owned(), role: "service desk".to_owned(), instruction, ..Step::default() }
}
