//! Lists: every row once, in order, both ways, and nothing but right arguments.

use serde_json::{Value, json};
use sopwith_domain::time::Timestamp;

use super::{fresh, fresh_published};
use crate::story::{CREATE_TOKEN, EDIT, HAND_OVER, Place, content, place, submit, text, token_terms};
use crate::support::{Client, World, both};

/// A list that can be walked: its name, the arguments that are always given, and what names a row.
struct List {
    name: &'static str,
    arguments: &'static str,
    key: &'static str,
}

const LISTS: [List; 5] = [
    List { name: "sops", arguments: "", key: "code" },
    List { name: "processes", arguments: "", key: "key" },
    List { name: "audit", arguments: "", key: "seq" },
    List { name: "approvalRequests", arguments: "", key: "id" },
    List { name: "apiTokens", arguments: "", key: "id" },
];

async fn page(who: &Client, list: &List, paging: &str) -> Value {
    let List { name, arguments, key } = list;
    let query = format!(
        "{{ {name}({arguments} {paging}) {{ totalCount nodes {{ {key} }} edges {{ cursor node {{ {key} }} }}
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    who.ok(&query, json!({})).await[name].take()
}

/// All rows, by pages of three, from the beginning or from the end; pages and rows in the order of the list.
async fn walk(who: &Client, list: &List, backwards: bool) -> (Vec<String>, i64) {
    let (mut rows, mut from) = (Vec::<String>::new(), None::<String>);
    loop {
        let (count, place, more) =
            if backwards { ("last", "before", "hasPreviousPage") } else { ("first", "after", "hasNextPage") };
        let cursor = from.as_ref().map(|cursor| format!(", {place}: \"{cursor}\"")).unwrap_or_default();
        let page = page(who, list, &format!("{count}: 3{cursor}")).await;
        let edges = page["edges"].as_array().expect("edges");
        let keys: Vec<String> = edges.iter().map(|edge| edge["node"][list.key].to_string()).collect();
        let nodes: Vec<String> =
            page["nodes"].as_array().expect("nodes").iter().map(|node| node[list.key].to_string()).collect();
        assert_eq!(keys, nodes, "nodes are those of the edges");
        let info = &page["pageInfo"];
        assert_eq!(info["startCursor"], edges.first().map_or(Value::Null, |edge| edge["cursor"].clone()));
        assert_eq!(info["endCursor"], edges.last().map_or(Value::Null, |edge| edge["cursor"].clone()));
        let other = if backwards { "hasNextPage" } else { "hasPreviousPage" };
        assert_eq!(info[other], from.is_some(), "{other} of {}: {page}", list.name);
        let total = page["totalCount"].as_i64().expect("a total");
        if backwards {
            rows.splice(0..0, keys);
        } else {
            rows.extend(keys);
        }
        if info[more] == false {
            return (rows, total);
        }
        assert_eq!(edges.len(), 3, "a page with more behind it is full: {page}");
        from = Some(text(&info[if backwards { "startCursor" } else { "endCursor" }]));
        assert!(rows.len() < 1000, "no end to {}", list.name);
    }
}

/// Eight SOPs in all states of review, with more than three of everything.
async fn furnish(world: &World) -> Place {
    let place = place(world).await;
    for n in 0..4 {
        fresh_published(&place, &format!("public-{n}"), &format!("Title {}", 9 - n)).await;
    }
    for n in 0..4 {
        let made = fresh(&place, &format!("hidden-{n}"), &format!("Title {}", 5 - n)).await;
        submit(&place.author, &made).await;
        for scope in ["FIGURES_READ", "AUDIT_READ"] {
            let input = json!({"input": token_terms(&format!("source-{n}"), &[scope])});
            place.admin.mutate(CREATE_TOKEN, input).await;
        }
    }
    place
}

both! {
    async fn are_walked_in_both_directions(world: World) {
        let place = furnish(&world).await;
        for list in &LISTS {
            let all = page(&place.admin, list, "first: 100").await;
            let all: Vec<String> =
                all["nodes"].as_array().unwrap().iter().map(|node| node[list.key].to_string()).collect();
            assert!(all.len() > 6, "{} has {} rows", list.name, all.len());
            let mut distinct = all.clone();
            distinct.sort();
            distinct.dedup();
            assert_eq!(distinct.len(), all.len(), "{}", list.name);
            for backwards in [false, true] {
                let (rows, total) = walk(&place.admin, list, backwards).await;
                assert_eq!(rows, all, "{}, backwards: {backwards}", list.name);
                assert_eq!(usize::try_from(total).unwrap(), all.len(), "{}", list.name);
            }
        }
    }

    async fn hold_what_one_sees_and_count_no_more(world: World) {
        let place = furnish(&world).await;
        for (who, sops, requests) in [(&place.viewer, 4, 0), (&place.admin, 8, 8), (&place.author, 8, 8)] {
            assert_eq!(walk(who, &LISTS[0], false).await.1, sops);
            assert_eq!(walk(who, &LISTS[0], true).await.0.len(), usize::try_from(sops).unwrap());
            assert_eq!(walk(who, &LISTS[3], false).await.1, requests);
        }
    }

    async fn refuse_wrong_pages(world: World) {
        let place = furnish(&world).await;
        let cursor = text(&page(&place.admin, &LISTS[0], "first: 1").await["pageInfo"]["endCursor"]);
        let foreign = hex_text(r#"{"key":[],"id":"x"}"#);
        for list in &LISTS {
            for paging in [
                "first: 0", "first: -1", "first: 101", "last: 0", "last: 101", "first: 2, last: 2", "first: 2147483647",
                "first: 2, after: \"nonsense\"", "last: 2, before: \"00\"", "first: 2, after: \"\"",
                &format!("first: 2, after: \"{foreign}\""), &format!("first: 2, after: \"{}\"", &cursor[2..]),
            ] {
                let query = format!("{{ {}({paging}) {{ nodes {{ {} }} }} }}", list.name, list.key);
                let answer = place.admin.send(&query, json!({})).await;
                let code = &answer.body["errors"][0]["extensions"]["code"];
                assert_eq!(code, "BAD_USER_INPUT", "{query}: {answer:?}");
            }
        }
        // A cursor of another list, or of another order, is no cursor of this one, but never a fault of the server.
        let mut wrong = Vec::new();
        for list in &LISTS {
            let query = format!("{{ {}(first: 2, after: \"{cursor}\") {{ nodes {{ {} }} }} }}", list.name, list.key);
            let answer = place.admin.send(&query, json!({})).await;
            let code = answer.body["errors"][0]["extensions"]["code"].as_str();
            if code.is_some_and(|code| code != "BAD_USER_INPUT") {
                wrong.push(format!("{}: {}", list.name, answer.body));
            }
        }
        assert!(wrong.is_empty(), "a cursor of sops taken for one of others: {wrong:#?}");
    }

    async fn of_sops_come_in_the_order_asked_for(world: World) {
        let place = furnish(&world).await;
        // Two more of one title, and one that was changed last though it was made first.
        fresh(&place, "twin", "Title 9").await;
        let all = place.admin.ok("{ sops { nodes { id code revision } } viewer: me { person { id } } }", json!({})).await;
        let first = &all["sops"]["nodes"][0];
        let input = json!({"id": first["id"], "expectedRevision": first["revision"], "ownerId": all["viewer"]["person"]["id"]});
        place.author.mutate(HAND_OVER, json!({"input": input})).await;
        for (field, column) in [("CODE", "code"), ("TITLE", "title"), ("CREATED_AT", "createdAt"), ("UPDATED_AT", "updatedAt")] {
            let ask = |direction: &str| format!("orderBy: {{field: {field}, direction: {direction}}},");
            let mut orders = Vec::new();
            for direction in ["ASC", "DESC"] {
                let query = format!("{{ sops({} first: 100) {{ nodes {{ {column} code }} }} }}", ask(direction));
                let rows = place.admin.ok(&query, json!({})).await["sops"]["nodes"].as_array().unwrap().clone();
                let keys: Vec<SortKey> = rows.iter().map(|row| sort_key(field, &row[column])).collect();
                let mut sorted = keys.clone();
                sorted.sort();
                if direction == "DESC" {
                    sorted.reverse();
                }
                assert_eq!(keys, sorted, "{field} {direction}");
                let arguments: &'static str = Box::leak(ask(direction).into_boxed_str());
                let list = List { name: "sops", arguments, key: "code" };
                let codes: Vec<String> = rows.iter().map(|row| row["code"].to_string()).collect();
                assert_eq!(codes.len(), 9);
                for backwards in [false, true] {
                    assert_eq!(walk(&place.admin, &list, backwards).await.0, codes, "{field} {direction} {backwards}");
                }
                orders.push(codes);
            }
            orders[1].reverse();
            assert_eq!(orders[0], orders[1], "{field}: one way is the other one backwards");
        }
    }

    async fn of_sops_are_filtered(world: World) {
        let place = furnish(&world).await;
        let made = fresh(&place, "mine", "Mine").await;
        let input = json!({"id": made.version, "expectedRevision": 1, "content": content("Mine too")});
        place.author.mutate(EDIT, json!({"input": input})).await;
        let query = "query($filter: SopsFilter) { sops(filter: $filter) { totalCount nodes { code } } }";
        for (filter, expected) in [
            (json!({}), 9),
            (json!({"states": ["PUBLISHED"]}), 4),
            (json!({"states": ["DRAFT", "IN_REVIEW"]}), 5),
            (json!({"states": ["RETIRED"]}), 0),
            (json!({"teamId": place.team}), 9),
            (json!({"processId": place.process}), 0),
            (json!({"risk": "HIGH"}), 0),
            (json!({"risk": "LOW", "states": ["DRAFT"]}), 1),
        ] {
            let found = place.admin.ok(query, json!({"filter": filter})).await;
            assert_eq!(found["sops"]["totalCount"], expected, "{filter}: {found}");
            assert_eq!(found["sops"]["nodes"].as_array().unwrap().len(), expected, "{filter}");
        }
        assert_eq!(place.admin.error_code(query, json!({"filter": {"teamId": "sop_1"}})).await, "NOT_FOUND");
    }
}

/// What rows are ordered by, as it is ordered: a time is written with as many digits as it needs, so its text is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Text(String),
    Time(Timestamp),
}

fn sort_key(field: &str, value: &Value) -> SortKey {
    let text = text(value);
    if field.ends_with("_AT") { SortKey::Time(text.parse().expect("a time")) } else { SortKey::Text(text) }
}

fn hex_text(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a text");
        hex
    })
}
