//! What an operation asks for: its type and root fields, for figures and logs, and how large it is once its fragments
//! are put in.

use std::collections::{BTreeSet, HashMap};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::parser::{Error as ParseError, parse_query, parse_schema};
use async_graphql::{Name, Positioned};

use super::rejection::Rejection;
use super::scan;

/// Stands for a document that asks for nothing that the schema knows.
pub const INVALID: &str = "invalid";
/// Stands for several root fields.
const MANY: &str = "many";
/// Stands for an operation that asks for this and nothing else.
const TYPENAME: &str = "__typename";
/// Root fields that every schema has.
const META: [&str; 3] = ["__schema", "__type", TYPENAME];
/// Fragments within fragments, and root fields that are logged.
const MAX_LEVELS: usize = 32;
const MAX_LOGGED: usize = 8;

/// The root fields of the schema.
#[derive(Debug, Default)]
pub struct RootFields {
    query: BTreeSet<String>,
    mutation: BTreeSet<String>,
}

/// An operation in a few words, none of which a client can make up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// `query`, `mutation` or [`INVALID`].
    pub kind: &'static str,
    /// The root field, `many` or [`INVALID`].
    pub label: String,
    /// The root fields.
    pub fields: String,
}

impl Operation {
    /// One that cannot be executed.
    pub fn invalid() -> Self {
        Self { kind: INVALID, label: INVALID.to_owned(), fields: INVALID.to_owned() }
    }
}

impl RootFields {
    /// Those of a schema in its definition language.
    pub fn of(sdl: &str) -> Self {
        let Ok(document) = parse_schema(sdl) else { return Self::default() };
        let mut names = ("Query".to_owned(), "Mutation".to_owned());
        let mut types: HashMap<String, BTreeSet<String>> = HashMap::new();
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    names.0 = schema.node.query.map_or(names.0, |name| name.node.to_string());
                    names.1 = schema.node.mutation.map_or(names.1, |name| name.node.to_string());
                }
                TypeSystemDefinition::Type(of) => {
                    if let TypeKind::Object(object) = of.node.kind {
                        let fields = object.fields.iter().map(|field| field.node.name.node.to_string()).collect();
                        types.insert(of.node.name.node.to_string(), fields);
                    }
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        let mut query = types.remove(&names.0).unwrap_or_default();
        query.extend(META.map(str::to_owned));
        Self { query, mutation: types.remove(&names.1).unwrap_or_default() }
    }

    /// Every type and label that operations can have.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let of = |kind, fields| BTreeSet::iter(fields).map(move |field: &String| (kind, field.as_str()));
        let known = of("query", &self.query).chain(of("mutation", &self.mutation));
        known.chain([("query", MANY), ("mutation", MANY), (INVALID, INVALID)])
    }

    /// Describes the operation that will be executed.
    pub fn describe(&self, document: &ExecutableDocument, name: Option<&str>) -> Operation {
        let Some(operation) = chosen(document, name) else { return Operation::invalid() };
        let (kind, known) = match operation.node.ty {
            OperationType::Query => ("query", &self.query),
            OperationType::Mutation => ("mutation", &self.mutation),
            OperationType::Subscription => return Operation::invalid(),
        };
        let mut fields = Vec::new();
        roots(document, &operation.node.selection_set.node, MAX_LEVELS, &mut fields);
        if !fields.iter().all(|field| known.contains(*field)) {
            return Operation::invalid();
        }
        let label = match fields.as_slice() {
            [] => TYPENAME,
            [only] => only,
            _ => MANY,
        };
        let fields = if fields.is_empty() { vec![label] } else { fields };
        Operation { kind, label: label.to_owned(), fields: fields[..fields.len().min(MAX_LOGGED)].join(",") }
    }
}

fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a Positioned<OperationDefinition>> {
    match (&document.operations, name) {
        (DocumentOperations::Single(only), _) => Some(only),
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name),
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => all.values().next(),
        (DocumentOperations::Multiple(_), None) => None,
    }
}

/// The root fields, each as often as it is asked for, without the `__typename` that some clients add to everything.
fn roots<'a>(document: &'a ExecutableDocument, set: &'a SelectionSet, levels: usize, found: &mut Vec<&'a str>) {
    let Some(levels) = levels.checked_sub(1) else { return };
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => found.push(field.node.name.node.as_str()),
            Selection::InlineFragment(inline) => roots(document, &inline.node.selection_set.node, levels, found),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    roots(document, &fragment.node.selection_set.node, levels, found);
                }
            }
        }
    }
    found.retain(|field| *field != TYPENAME);
}

/// Parses a document that is fit to be validated: of a bounded size, also with its fragments put in.
///
/// # Errors
/// When it cannot be parsed, with the place, or is over a limit.
pub fn parse(text: &str, max_fields: usize) -> Result<ExecutableDocument, Rejection> {
    scan::check(text).map_err(Rejection::limit)?;
    let document = parse_query(text).map_err(|error| unparsable(&error))?;
    let mut sizes = Sizes { document: &document, max_fields, known: HashMap::new() };
    for (_, operation) in document.operations.iter() {
        sizes.of(&operation.node.selection_set.node, MAX_LEVELS)?;
    }
    for fragment in document.fragments.values() {
        sizes.of(&fragment.node.selection_set.node, MAX_LEVELS)?;
    }
    Ok(document)
}

fn unparsable(error: &ParseError) -> Rejection {
    let position = error.positions().next();
    let rejection = match error {
        ParseError::RecursionLimitExceeded => Rejection::limit("the document is nested too deep"),
        ParseError::Syntax { .. } => {
            let place = position.map(|at| format!(" at line {}, column {}", at.line, at.column)).unwrap_or_default();
            Rejection::malformed(format!("the document is not GraphQL: syntax error{place}"))
        }
        other => Rejection::malformed(format!("the document is not GraphQL: {other}")),
    };
    match position {
        Some(at) => rejection.at(at.line, at.column),
        None => rejection,
    }
}

/// Counts fields with fragments put in, each fragment once: written out, a few lines can be billions of fields.
struct Sizes<'a> {
    document: &'a ExecutableDocument,
    max_fields: usize,
    known: HashMap<&'a Name, usize>,
}

impl<'a> Sizes<'a> {
    fn of(&mut self, set: &'a SelectionSet, levels: usize) -> Result<usize, Rejection> {
        let Some(levels) = levels.checked_sub(1) else {
            return Err(Rejection::limit("the document is nested too deep, or a fragment contains itself"));
        };
        let mut size = 0_usize;
        for selection in &set.items {
            size = size.saturating_add(match &selection.node {
                Selection::Field(field) => 1 + self.of(&field.node.selection_set.node, levels)?,
                Selection::InlineFragment(inline) => 1 + self.of(&inline.node.selection_set.node, levels)?,
                Selection::FragmentSpread(spread) => 1 + self.fragment(&spread.node.fragment_name.node, levels)?,
            });
            if size > self.max_fields {
                return Err(Rejection::limit(format!("the operation has more than {} fields", self.max_fields)));
            }
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a Name, levels: usize) -> Result<usize, Rejection> {
        if let Some(size) = self.known.get(name) {
            return Ok(*size);
        }
        let size = match self.document.fragments.get(name) {
            Some(fragment) => self.of(&fragment.node.selection_set.node, levels)?,
            // Validation will say so.
            None => 0,
        };
        self.known.insert(name, size);
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str, name: Option<&str>) -> (&'static str, String) {
        let roots = RootFields::of("schema {query: Q mutation: M} type Q {a: Int b: Int} type M {c(x: Int): Int}");
        let operation = roots.describe(&parse(text, 1000).unwrap(), name);
        (operation.kind, operation.label)
    }

    #[test]
    fn names_operations_by_root_fields_only() {
        let is = |text, kind, label: &str| assert_eq!(described(text, None), (kind, label.to_owned()), "{text}");
        is("query Made_up { x: a __typename }", "query", "a");
        is("{ a b }", "query", "many");
        is("{ x: a y: a }", "query", "many");
        is("mutation { ...F } fragment F on M { ... { c(x: 1) } }", "mutation", "c");
        is("{ __typename }", "query", "__typename");
        is("{ __schema { types { name } } }", "query", "__schema");
        is("{ madeUp }", INVALID, INVALID);
        is("subscription { a }", INVALID, INVALID);
        is("query A { a } query B { b }", INVALID, INVALID);
        assert_eq!(described("query A { a } query B { b }", Some("B")).1, "b");
    }

    #[test]
    fn bounds_what_fragments_make_of_a_document() {
        let level = |n: usize| format!("fragment F{n} on Q {{ ...F{} ...F{} }}", n + 1, n + 1);
        let bomb: String = (0..25).map(level).collect();
        assert_eq!(parse(&format!("{{ ...F0 }} {bomb}"), 1000).unwrap_err().code(), "LIMIT_EXCEEDED");
        assert!(parse("{ ...F } fragment F on Q { a ...F }", 1000).is_err());
        assert!(parse("{ a } fragment F on Q { ...G } fragment G on Q { ...F }", 1000).is_err());
        assert_eq!(parse(&format!("{{ {} }}", "a ".repeat(1001)), 1000).unwrap_err().code(), "LIMIT_EXCEEDED");
        assert!(parse("{ ...F ...F } fragment F on Q { a { b } }", 1000).is_ok());
        assert_eq!(parse("{", 1000).unwrap_err().code(), "BAD_USER_INPUT");
    }
}
