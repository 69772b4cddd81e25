//! The schema is the contract: the file in the repository, and a description for everything in it.

use serde_json::{Value, json};

use crate::story::text;
use crate::support::{Client, World, both};

/// Types whose words are the library's.
const OF_THE_LIBRARY: [&str; 2] = ["PageInfo", "JSON"];
/// Scalars that every schema has.
const BUILT_IN: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether the words of a type are the library's own.
fn of_the_library(name: &str) -> bool {
    // It has no way to describe a connection itself; its fields are described.
    name.starts_with("__") || name.ends_with("Connection") || OF_THE_LIBRARY.contains(&name) || BUILT_IN.contains(&name)
}

async fn types(client: &Client) -> Vec<Value> {
    let query = "{ __schema { types { name kind description
        fields(includeDeprecated: true) { name description args { name description } }
        inputFields { name description } enumValues(includeDeprecated: true) { name description } } } }";
    list(&client.ok(query, json!({})).await["__schema"]["types"]).to_vec()
}

/// What graphql-js sends (`getIntrospectionQuery`), with nine levels of wrapping: fifteen levels in all.
fn introspection() -> String {
    let wrapped = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    format!(
        "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} mutationType {{ name kind }}
            subscriptionType {{ name kind }} types {{ ...FullType }}
            directives {{ name description isRepeatable locations args(includeDeprecated: true) {{ ...InputValue }} }} }} }}
        fragment FullType on __Type {{ kind name description specifiedByURL isOneOf
            fields(includeDeprecated: true) {{ name description args(includeDeprecated: true) {{ ...InputValue }}
                type {{ ...TypeRef }} isDeprecated deprecationReason }}
            inputFields(includeDeprecated: true) {{ ...InputValue }} interfaces {{ ...TypeRef }}
            enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }}
            possibleTypes {{ ...TypeRef }} }}
        fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue isDeprecated
            deprecationReason }}
        fragment TypeRef on __Type {{ {wrapped} }}"
    )
}

both! {
    async fn the_file_says_what_the_binary_says(world: World) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");
        let hint = "to take it over: cargo run -- schema > schema.graphql";
        let file = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("schema.graphql: {error}; {hint}"));
        let printed = world.command(&["schema"]).await;
        assert!(printed.status.success(), "{printed:?}");
        let different = file.lines().zip(printed.stdout.lines()).find(|(ours, theirs)| ours != theirs);
        assert_eq!(different, None, "schema.graphql (left) is not what `sopwith schema` prints (right); {hint}");
        assert!(file == printed.stdout, "schema.graphql and what `sopwith schema` prints differ in length; {hint}");
    }

    async fn everything_has_a_description(world: World) {
        let mut bare = Vec::new();
        let mut seen = 0;
        for ty in types(&world.client(&["viewer"], "vic")).await {
            let name = text(&ty["name"]);
            if of_the_library(&name) {
                continue;
            }
            let mut check = |path: String, what: &Value| {
                seen += 1;
                if what["description"].as_str().is_none_or(|words| words.trim().is_empty()) {
                    bare.push(path);
                }
            };
            check(name.clone(), &ty);
            for field in list(&ty["fields"]) {
                check(format!("{name}.{}", text(&field["name"])), field);
                for argument in list(&field["args"]) {
                    check(format!("{name}.{}({})", text(&field["name"]), text(&argument["name"])), argument);
                }
            }
            for part in list(&ty["inputFields"]).iter().chain(list(&ty["enumValues"])) {
                check(format!("{name}.{}", text(&part["name"])), part);
            }
        }
        assert!(seen > 500, "only {seen} were looked at");
        assert!(bare.is_empty(), "{} of {seen} have no description: {bare:#?}", bare.len());
    }

    async fn the_tools_of_clients_can_read_it(world: World) {
        let client = world.client(&["viewer"], "vic");
        let schema = client.ok(&introspection(), json!({})).await;
        assert!(list(&schema["__schema"]["types"]).iter().any(|t| t["name"] == "Sop"));
        let scalar = |name: &str| list(&schema["__schema"]["types"]).iter().find(|t| t["name"] == name).cloned().unwrap();
        for name in ["DateTime", "Duration", "BigInt"] {
            assert!(scalar(name)["specifiedByURL"].is_string(), "{name}");
        }
        assert_eq!(scalar("SopBy")["isOneOf"], true);
    }

    async fn introspection_can_be_turned_off(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_INTROSPECTION", "false")]).await;
        let answer = world.client(&["viewer"], "vic").send(&introspection(), json!({})).await;
        assert!(!answer.body.to_string().contains("openVersion"), "{answer:?}");
        let answer = world.client(&["viewer"], "vic").send("{ sopz }", json!({})).await;
        assert!(!answer.body.to_string().contains("sops"), "no suggestion either: {answer:?}");
    }
}
