//! What a version says, as output and as input: the same fields both ways.

use async_graphql::{InputObject, SimpleObject};
use sopwith_domain::content as domain;
use sopwith_domain::time::SECOND;

use crate::graphql::scalars::Duration;

/// How a field of the schema reads from, and writes to, one of the domain.
trait Mirror<D> {
    fn show(domain: &D) -> Self;
    fn take(self) -> D;
}

impl Mirror<String> for String {
    fn show(text: &String) -> Self {
        text.clone()
    }

    fn take(self) -> String {
        self
    }
}

impl Mirror<bool> for bool {
    fn show(flag: &bool) -> Self {
        *flag
    }

    fn take(self) -> bool {
        self
    }
}

impl Mirror<Option<u32>> for Option<Duration> {
    fn show(seconds: &Option<u32>) -> Self {
        seconds.map(|s| Duration { micros: i64::from(s) * SECOND })
    }

    fn take(self) -> Option<u32> {
        self.and_then(|d| u32::try_from(d.micros / SECOND).ok())
    }
}

impl<S: Mirror<D>, D> Mirror<Vec<D>> for Vec<S> {
    fn show(list: &Vec<D>) -> Self {
        list.iter().map(S::show).collect()
    }

    fn take(self) -> Vec<D> {
        self.into_iter().map(S::take).collect()
    }
}

macro_rules! mirrors {
    ($($(#[$doc:meta])* $name:ident as $input:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, SimpleObject, InputObject)]
        #[graphql(input_name = $input)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Mirror<domain::$name> for $name {
            fn show(domain: &domain::$name) -> Self {
                Self { $($field: Mirror::show(&domain.$field),)* }
            }

            fn take(self) -> domain::$name {
                domain::$name { $($field: Mirror::take(self.$field),)* }
            }
        }

        impl From<&domain::$name> for $name {
            fn from(domain: &domain::$name) -> Self { Self::show(domain) }
        }

        impl From<$name> for domain::$name {
            fn from(given: $name) -> Self { given.take() }
        }
    )*};
}

mirrors! {
    /// The text of a procedure.
    Content as "ContentInput" {
        /// What people call it.
        title: String,
        /// The problem that it solves.
        #[graphql(default)]
        objective: String,
        /// What it covers.
        #[graphql(default)]
        scope: String,
        /// What it deliberately does not cover.
        #[graphql(default)]
        out_of_scope: String,
        /// Who has to know it.
        #[graphql(default)]
        audience: Vec<String>,
        /// What must hold before the first step.
        #[graphql(default)]
        prerequisites: Vec<String>,
        /// Standards and clauses that it answers to.
        #[graphql(default)]
        references: Vec<Reference>,
        /// Prose around the steps, in order.
        #[graphql(default)]
        sections: Vec<Section>,
        /// What to do, in order.
        #[graphql(default)]
        steps: Vec<Step>,
        /// What this version changes and why.
        #[graphql(default_with = "ChangeLog { what: String::new(), why: String::new() }")]
        change_log: ChangeLog,
    }
    /// A standard, a regulation or a document that the procedure refers to.
    Reference as "ReferenceInput" {
        /// The standard or the document, such as `ISO 9001:2015`.
        standard: String,
        /// The clause in it; empty for the whole.
        #[graphql(default)]
        clause: String,
        /// Where it can be read; empty when nowhere.
        #[graphql(default)]
        url: String,
    }
    /// A titled piece of prose. Steps may belong to one.
    Section as "SectionInput" {
        /// Names the section within the version; given by the service when empty.
        #[graphql(default)]
        key: String,
        /// Its title.
        heading: String,
        /// Its text, Markdown.
        #[graphql(default)]
        body: String,
    }
    /// A single action.
    Step as "StepInput" {
        /// Names the step, from version to version; given by the service when empty.
        #[graphql(default)]
        key: String,
        /// The section it stands in, by key; empty for none.
        #[graphql(default)]
        section: String,
        /// The action, in the imperative.
        #[graphql(default)]
        instruction: String,
        /// More on how, Markdown.
        #[graphql(default)]
        detail: String,
        /// Commands and snippets, to copy.
        #[graphql(default)]
        code_blocks: Vec<CodeBlock>,
        /// Who does it.
        #[graphql(default)]
        role: String,
        /// How long it should take, to the second.
        expected_duration: Option<Duration>,
        /// Tools and access needed.
        #[graphql(default)]
        tools: Vec<String>,
        /// Information needed beforehand.
        #[graphql(default)]
        inputs: Vec<String>,
        /// What success looks like.
        #[graphql(default)]
        expected_outcome: String,
        /// Predictable failures with their remedies.
        #[graphql(default)]
        failures: Vec<Failure>,
        /// What is checked here before going on; empty for nothing.
        #[graphql(default)]
        checkpoint: String,
        /// Whose go-ahead is needed during the work; empty for nobody's.
        #[graphql(default)]
        approval: String,
        /// Images and diagrams.
        #[graphql(default)]
        visual_aids: Vec<VisualAid>,
        /// Teams it applies to, by key; empty for all.
        #[graphql(default)]
        teams: Vec<String>,
        /// Decisions taken here, each with the step it leads to.
        #[graphql(default)]
        branches: Vec<Branch>,
        /// Whether it must not be left out.
        #[graphql(default = true)]
        mandatory: bool,
    }
    /// A command or snippet.
    CodeBlock as "CodeBlockInput" {
        /// The language, such as `bash`; empty when unknown.
        #[graphql(default)]
        language: String,
        /// The text, to the letter.
        text: String,
    }
    /// Something that predictably goes wrong, and what to do then.
    Failure as "FailureInput" {
        /// How one notices.
        symptom: String,
        /// What to do.
        #[graphql(default)]
        remedy: String,
    }
    /// An image or a diagram.
    VisualAid as "VisualAidInput" {
        /// What it shows, also for those who cannot see it.
        title: String,
        /// Where it is.
        #[graphql(default)]
        url: String,
        /// SHA-256 of the file in hex, so that a signature covers it; empty when the file is not kept.
        #[graphql(default)]
        sha256: String,
    }
    /// One way out of a decision.
    Branch as "BranchInput" {
        /// When this way is taken.
        condition: String,
        /// Key of the step it leads to; empty for the end of the procedure.
        #[graphql(default)]
        go_to: String,
    }
    /// What a version changes, and why.
    ChangeLog as "ChangeLogInput" {
        /// What is different.
        #[graphql(default)]
        what: String,
        /// The reason.
        #[graphql(default)]
        why: String,
    }
}
