//! What a demo says once it can be reached.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::json;
use sopwith_domain::access::{Reach, Visibility};
use sopwith_domain::ids::PersonId;
use sopwith_domain::lifecycle::SopState;

use super::cast::Cast;
use super::place::Place;
use crate::cli;
use crate::error::Result;
use crate::store::page::Window;
use crate::store::sops::{self, SopFilter, SopOrder, SopRow};
use crate::store::{Store, Uuid};

/// Queries to paste: what each is for, the role whose token it is sent with, and its text, where `TEXT` and `CODE`
/// stand for a symptom and an SOP that are there, and `GROUP` and `NAME` for what the figures are grouped by.
const QUERIES: [(&str, &str, &str); 3] = [
    (
        "Find a procedure by a symptom",
        "viewer",
        "{ search(text: TEXT) { nodes { score snippet sop { code title } } } }",
    ),
    (
        "Read it, step by step",
        "viewer",
        "{ sop(by: {code: CODE}) { title publishedVersion { label content { steps { instruction role } } } } }",
    ),
    (
        "See whether procedures are followed, and how long the work takes",
        "manager",
        "{ figures(groupBy: [GROUP]) { NAME runs adoption { known { value numerator denominator } } \
         completionTime { n p50 { value } p95 { value } } } }",
    ),
];

/// The SOP of the samples that the queries show, and a symptom that leads to it.
const SAMPLE: (&str, &str) = ("SD-0001", "password locked");

/// What a demo says, but for where it is.
#[derive(Debug)]
pub struct Greeting {
    tokens: Vec<(&'static str, String)>,
    queries: Vec<(&'static str, String, String)>,
    data: String,
}

impl Greeting {
    /// Finds out what the queries are to show.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn compose(store: &Store, cast: &Cast, place: &Place) -> Result<Self> {
        let shown = shown(store).await?;
        let queries = QUERIES.map(|(what, role, query)| (what, cast.token(role).to_owned(), shown.fill(query)));
        let kept = if place.is_temporary() { "gone when the demo ends; --database FILE keeps them" } else { "kept" };
        Ok(Self {
            tokens: cast.tokens().map(|(role, token)| (role, token.to_owned())).collect(),
            queries: queries.to_vec(),
            data: format!("{} ({kept})", place.file().display()),
        })
    }

    /// Says it on standard output: for a person, or as one line for a script.
    pub fn print(&self, address: SocketAddr, json: bool) {
        let url = format!("http://{address}");
        let told = if json { self.for_script(&url) } else { self.for_person(&url) };
        // Whoever started it may not read on; that is no reason not to serve.
        let _ = cli::print(&told);
    }

    fn for_script(&self, url: &str) -> String {
        let tokens: BTreeMap<_, _> = self.tokens.iter().map(|(role, token)| (role, token)).collect();
        json!({"url": url, "tokens": tokens}).to_string()
    }

    fn for_person(&self, url: &str) -> String {
        let mut told = vec![
            format!("Sopwith is at {url}: GraphQL by POST to {url}/graphql."),
            format!("Figures are at {url}/dashboard: open it in a browser, and sign in with the manager's token."),
            format!("Its data are in {}.", self.data),
            "\nA token per role, each of a simulated person, valid for 12 hours:".to_owned(),
        ];
        told.extend(self.tokens.iter().map(|(role, token)| format!("\n{role}\n{token}")));
        let queries = self.queries.iter();
        told.extend(queries.map(|(what, token, query)| format!("\n# {what}:\n{}", curl(url, token, query))));
        told.push("\nCtrl-C ends it.".to_owned());
        told.join("\n")
    }
}

fn curl(url: &str, token: &str, query: &str) -> String {
    let body = json!({"query": query}).to_string().replace('\'', r"'\''");
    format!("curl -s {url}/graphql -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{body}'")
}

/// What the queries show.
struct Shown {
    code: String,
    text: String,
    group: (&'static str, &'static str),
}

impl Shown {
    fn fill(&self, query: &str) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let query = query.replace("TEXT", &quoted(&self.text)).replace("CODE", &quoted(&self.code));
        query.replace("GROUP", self.group.0).replace("NAME", self.group.1)
    }
}

/// The sample, else the first SOP that is published, else what the sample would be.
async fn shown(store: &Store) -> Result<Shown> {
    let (code, text) = SAMPLE;
    let by_sop = ("SOP", "sop { code title }");
    if sops::by_code(store.read(), code).await?.is_none_or(|s| s.state != SopState::Published.as_str())
        && let Some(first) = first_published(store).await?
    {
        // Executions of other origin name processes and no SOPs.
        let group = ("PROCESS", "process { key name }");
        return Ok(Shown { code: first.code, text: first.title, group });
    }
    Ok(Shown { code: code.to_owned(), text: text.to_owned(), group: by_sop })
}

async fn first_published(store: &Store) -> Result<Option<SopRow>> {
    // Of what is published, everyone sees everything.
    let anyone = Visibility { person: PersonId(Uuid::nil()), drafts: Reach::Teams([].into()), roles: Vec::new() };
    let filter = SopFilter { states: vec![SopState::Published], ..SopFilter::default() };
    let window = Window { limit: 1, ..Window::default() };
    let page = sops::list(store.read(), &anyone, &filter, (SopOrder::Code, false), &window).await?;
    Ok(page.rows.into_iter().next())
}
