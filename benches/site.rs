//! An organisation to measure: its SOPs, its teams, and an integration that sends what its people do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::cost::{self, Work};
use crate::executions::{Execution, anywhere};
use crate::story::{self, CREATE_TEAM, CREATE_TOKEN, Place, RECORD, text, token_terms};
use crate::support::{Backend, Client, Database, Raw, World, postgres_id};

/// Teams that perform executions.
pub const TEAMS: u64 = 40;
/// Clients that send at the same time, where nothing else is said.
pub const CLIENTS: usize = 2;
/// Settings of the service.
const SETTINGS: [(&str, &str); 1] = [("SOPWITH_METRICS_DOMAIN_OPEN", "true")];
/// How many SOPs are written at the same time.
const WRITERS: usize = 8;

/// The organisation, with the service over its database.
pub struct Site {
    pub world: World,
    /// A manager, who reads all figures.
    pub manager: Client,
    /// The secret of the integration's token.
    pub token: String,
    /// How many SOPs there are.
    pub sops: u64,
    /// The id of the busy SOP.
    pub busy: String,
    /// The end of the year of executions.
    pub now: DateTime<Utc>,
    /// The same database before any execution came, to measure its limit.
    pub limit: Database,
    postgres: Option<u32>,
}

impl Site {
    /// Founds it; `None` where the database is not installed, which is said.
    pub async fn found(backend: Backend, sops: u64) -> Option<Self> {
        let mut world = World::start(backend).await?;
        let place = story::place(&world).await;
        let busy = write_sops(&place, sops).await;
        for team in 0..TEAMS {
            let input = json!({"key": team_key(team), "name": team_key(team), "codePrefix": format!("T{team}")});
            place.admin.mutate(CREATE_TEAM, json!({"input": input})).await;
        }
        let made =
            place.admin.mutate(CREATE_TOKEN, json!({"input": token_terms("bench", &["EXECUTIONS_RECORD"])})).await;
        let token = text(&made["secret"]);
        let manager = world.client(&["manager"], "mona");
        let now = Utc::now();
        // Everybody performs something once, so that nobody has to be made while time is measured.
        let people: Vec<_> = (0..500).map(|n| Execution::new(n, anywhere(n), sops, now)).collect();
        let answer =
            post(Way::GraphQL, &world.raw(), &token, batch(Way::GraphQL, "people", &people)).send().await.unwrap();
        taken(&answer.text().await.unwrap(), 500);
        world.server.stop_gracefully().await;
        let limit = world.db.copy().await;
        world.restart_with(&SETTINGS).await;
        let pid = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(postgres_id().expect("a cluster of this run, not one named by a setting")),
        };
        Some(Self { manager, token, sops, busy, now, limit, postgres: pid, world })
    }

    /// Whose time counts.
    pub fn work(&self) -> Work {
        Work { server: self.world.server.id(), postgres: self.postgres }
    }

    /// CPU seconds of the database alone, or of this process where the database is a library.
    pub fn database_cpu(&self) -> f64 {
        self.postgres.map_or_else(|| cost::family(std::process::id()), cost::family)
    }

    /// Starts the service again, with another setting if wanted.
    pub async fn restart(&mut self, setting: Option<(&str, &str)>) {
        let settings: Vec<_> = SETTINGS.into_iter().chain(setting).collect();
        self.world.restart_with(&settings).await;
    }

    /// Waits until all deltas are in the roll-ups.
    pub async fn compacted(&self) {
        while self.world.query_i64("SELECT COUNT(*) FROM rollup_delta").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The code that the n-th SOP got.
pub fn code(sop: u64) -> String {
    format!("OPS-{:04}", sop + 1)
}

/// The key of a team.
pub fn team_key(team: u64) -> String {
    format!("team-{team}")
}

/// Writes and publishes SOPs, each of a process of its own; answers the id of the first, the busy one.
async fn write_sops(place: &Place, sops: u64) -> String {
    let write = async |n: u64| {
        let process = story::process(&place.author, &json!(place.team), &format!("process-{n}")).await;
        let draft = story::draft(place, &place.author, &process, &format!("Procedure {n}")).await;
        story::publish(place, &place.author, &draft).await;
        draft
    };
    let first = write(0).await;
    assert_eq!(first.code, code(0));
    let mut next = 1;
    while next < sops {
        let until = sops.min(next + WRITERS as u64);
        join_all((next..until).map(write)).await;
        next = until;
    }
    first.sop
}

/// By which way executions are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The mutation.
    GraphQL,
    /// Lines to `/v1/executions`.
    Lines,
}

/// A body with a batch.
pub fn batch(way: Way, series: &str, executions: &[Execution]) -> Vec<u8> {
    let mut items = String::new();
    for execution in executions {
        if !items.is_empty() {
            items.push(if way == Way::Lines { '\n' } else { ',' });
        }
        execution.write(series, &mut items);
    }
    if way == Way::Lines {
        return items.into_bytes();
    }
    let query = json!(RECORD);
    format!(
        r#"{{"query":{query},"variables":{{"input":{{"source":"bench","mode":"BACKFILL","executions":[{items}]}}}}}}"#
    )
    .into_bytes()
}

/// A request with such a body.
pub fn post(way: Way, raw: &Raw, token: &str, body: Vec<u8>) -> RequestBuilder {
    let (path, kind) = match way {
        Way::GraphQL => ("/graphql", "application/json"),
        Way::Lines => ("/v1/executions?mode=BACKFILL", "application/x-ndjson"),
    };
    raw.http.post(raw.url(path)).bearer_auth(token).header("content-type", kind).body(body)
}

/// Sees that all items of an answer were taken.
pub fn taken(answer: &str, items: usize) {
    // Both ways say it alike.
    let created = answer.matches(r#""status":"CREATED""#).count();
    assert_eq!(created, items, "not all were taken: {}", &answer[..answer.len().min(500)]);
}
