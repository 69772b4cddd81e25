//! The inputs of the mutations, as the server itself describes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::Client;

/// A type behind its `NON_NULL` wrapper.
#[derive(Clone, Debug)]
pub struct Type {
    /// Whether null is refused.
    pub needed: bool,
    /// What it is.
    pub kind: Kind,
}

/// What a value of a type looks like.
#[derive(Clone, Debug)]
pub enum Kind {
    List(Box<Type>),
    Input(String),
    Enum,
    /// By its name.
    Scalar(String),
}

/// A field of an input.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub has_default: bool,
}

/// The mutations and their inputs.
#[derive(Debug)]
pub struct Schema {
    /// The type of the one argument `input`, by mutation.
    pub mutations: BTreeMap<String, String>,
    inputs: BTreeMap<String, Vec<Field>>,
}

/// One place in an input.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Names and indexes from the root of the input.
    pub path: Vec<String>,
    pub field: Field,
}

impl Spot {
    /// The path as one text.
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }

    /// The name of the scalar that stands here, if one does.
    pub fn scalar(&self) -> Option<&str> {
        match &self.field.ty.kind {
            Kind::Scalar(name) => Some(name),
            _ => None,
        }
    }

    /// As the place is written in a JSON pointer.
    pub fn pointer(&self) -> String {
        format!("/{}", self.path.join("/"))
    }
}

impl Schema {
    /// Asks the server.
    pub async fn read(client: &Client) -> Self {
        let query = "{ __schema { mutationType { fields { name args { name type { ofType { name } } } } }
            types { kind name inputFields { name defaultValue type { ...T ofType { ...T ofType { ...T ofType { ...T } } } } } } } }
            fragment T on __Type { kind name }";
        let schema = client.ok(query, json!({})).await["__schema"].take();
        let mut mutations = BTreeMap::new();
        for field in schema["mutationType"]["fields"].as_array().expect("mutations") {
            assert_eq!(field["args"].as_array().map(Vec::len), Some(1), "one input: {field}");
            assert_eq!(field["args"][0]["name"], "input", "{field}");
            mutations.insert(text(&field["name"]), text(&field["args"][0]["type"]["ofType"]["name"]));
        }
        let inputs = schema["types"].as_array().expect("types").iter().filter(|t| t["kind"] == "INPUT_OBJECT");
        let fields = |t: &Value| t["inputFields"].as_array().expect("fields").iter().map(field).collect();
        Self { mutations, inputs: inputs.map(|t| (text(&t["name"]), fields(t))).collect() }
    }

    /// Every place in an input of this type, taken from a sample that must give a value to each.
    pub fn spots(&self, input: &str, sample: &Value) -> Vec<Spot> {
        let mut spots = Vec::new();
        self.walk(input, sample, &[], &mut spots);
        spots
    }

    fn walk(&self, input: &str, sample: &Value, path: &[String], spots: &mut Vec<Spot>) {
        for field in &self.inputs[input] {
            let value = &sample[&field.name];
            assert!(!value.is_null(), "the sample has no {}.{} for {input}", path.join("."), field.name);
            let path: Vec<String> = path.iter().cloned().chain([field.name.clone()]).collect();
            spots.push(Spot { path: path.clone(), field: field.clone() });
            match &field.ty.kind {
                Kind::Input(name) => self.walk(name, value, &path, spots),
                Kind::List(of) => self.walk_list(field, of, value, &path, spots),
                Kind::Enum | Kind::Scalar(_) => {}
            }
        }
    }

    fn walk_list(&self, field: &Field, of: &Type, sample: &Value, path: &[String], spots: &mut Vec<Spot>) {
        let path: Vec<String> = path.iter().cloned().chain(["0".to_owned()]).collect();
        let first = sample.get(0).unwrap_or_else(|| panic!("the sample has an empty list at {}", path.join(".")));
        match &of.kind {
            Kind::Input(name) => self.walk(name, first, &path, spots),
            _ => spots.push(Spot { path, field: Field { ty: of.clone(), ..field.clone() } }),
        }
    }
}

fn field(json: &Value) -> Field {
    Field { name: text(&json["name"]), ty: ty(&json["type"]), has_default: !json["defaultValue"].is_null() }
}

fn ty(json: &Value) -> Type {
    if json["kind"] == "NON_NULL" {
        return Type { needed: true, ..ty(&json["ofType"]) };
    }
    let kind = match json["kind"].as_str() {
        Some("LIST") => Kind::List(Box::new(ty(&json["ofType"]))),
        Some("INPUT_OBJECT") => Kind::Input(text(&json["name"])),
        Some("ENUM") => Kind::Enum,
        _ => Kind::Scalar(text(&json["name"])),
    };
    Type { needed: false, kind }
}

fn text(value: &Value) -> String {
    crate::story::text(value)
}
