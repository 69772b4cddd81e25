//! How fast executions are taken, beside how fast the same rows go into the same tables of the same database.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::executions::{Execution, anywhere};
use crate::report::{Must, digits, line};
use crate::site::{CLIENTS, Site, Way, batch, post, taken};
use crate::support::Backend;
use crate::wire::Wire;
use crate::{Arguments, cost, raw};

/// Executions of a batch.
pub const BATCH: usize = 500;
/// Clients that send single mutations.
const SINGLE_CLIENTS: usize = 32;
/// Both sides are measured in turn, so that whatever else the machine does hits both.
const ROUNDS: u64 = 3;

pub async fn measure(site: &mut Site, arguments: &Arguments) {
    for way in [Way::Lines, Way::GraphQL] {
        batches(site, arguments.ingest.div_ceil(ROUNDS), way).await;
    }
    let (together, sent) = singles(site, arguments.seconds, "together").await;
    // COPY of one row at a time is far from what PostgreSQL can do.
    if site.world.backend == Backend::Sqlite {
        let alone = raw::Way { batch: 1, connections: 1 };
        let beside = sent as f64 / raw::insert(site, "together", sent, alone).await;
        let what =
            format!("single mutations per second by {SINGLE_CLIENTS} clients, beside the rows alone, a commit each");
        line(&what, &digits(together), &digits(beside), together / beside, Must::Nothing);
    }
    site.restart(Some(("SOPWITH_INGEST__GROUP_MILLISECONDS", "0"))).await;
    let (apart, _) = singles(site, arguments.seconds, "apart").await;
    site.restart(None).await;
    let what = format!("single mutations per second by {SINGLE_CLIENTS} clients, beside one commit each");
    line(&what, &digits(together), &digits(apart), together / apart, Must::AtLeast(10.0));
    println!("\n(the service's peak memory so far: {:.0} MB)\n", cost::peak_megabytes(site.work().server));
}

async fn batches(site: &Site, each: u64, way: Way) {
    let (mut here, mut beside, mut cpu, mut until) = (0.0, 0.0, 0.0, 0.0);
    for round in 0..ROUNDS {
        let all: Vec<_> = (0..each).map(|n| Execution::new(n, anywhere(n), site.sops, site.now)).collect();
        let series = format!("{way:?}-{round}");
        let bodies = all.chunks(BATCH).map(|chunk| (batch(way, &series, chunk), chunk.len())).collect();
        let (before, began) = (site.work().cpu(), Instant::now());
        here += send(site, way, bodies).await;
        site.compacted().await;
        until += began.elapsed().as_secs_f64();
        cpu += site.work().cpu() - before;
        let way = raw::Way { batch: BATCH, connections: CLIENTS };
        beside += raw::insert(site, &series, each, way).await;
    }
    let total = (each * ROUNDS) as f64;
    let (here, beside) = (total / here, total / beside);
    let what = format!("{way:?}: executions per second, in batches of {BATCH}, beside the rows alone");
    // Bulk senders have a way of their own.
    let must = if way == Way::Lines { Must::AtLeast(0.5) } else { Must::Nothing };
    line(&what, &digits(here), &digits(beside), here / beside, must);
    let compacted = total / until;
    let what = format!("{way:?}: the same until all of them are compacted");
    line(&what, &digits(compacted), &digits(beside), compacted / beside, Must::Nothing);
    let per = |seconds: f64| format!("{} µs", digits(seconds / total * 1e6));
    let what = format!("{way:?}: CPU per execution, compacted; and time");
    line(&what, &per(cpu), &per(until), cpu / until, Must::Nothing);
}

/// Sends bodies by several clients at once; answers how many seconds that took.
pub async fn send(site: &Site, way: Way, bodies: Vec<(Vec<u8>, usize)>) -> f64 {
    let (raw, began) = (site.world.raw(), Instant::now());
    let mut shares: Vec<Vec<_>> = (0..CLIENTS).map(|_| Vec::new()).collect();
    for (n, body) in bodies.into_iter().enumerate() {
        shares[n % CLIENTS].push(body);
    }
    let mut clients = JoinSet::new();
    for share in shares {
        let requests: Vec<_> =
            share.into_iter().map(|(body, items)| (post(way, &raw, &site.token, body), items)).collect();
        clients.spawn(async move {
            for (request, items) in requests {
                taken(&request.send().await.unwrap().text().await.unwrap(), items);
            }
        });
    }
    clients.join_all().await;
    began.elapsed().as_secs_f64()
}

/// Single mutations in a second, and how many were sent; tells what each costs.
async fn singles(site: &Site, seconds: u64, series: &str) -> (f64, u64) {
    let (before, began, limit) = (site.work().cpu(), Instant::now(), Duration::from_secs(seconds));
    let mut clients = JoinSet::new();
    for client in 0..SINGLE_CLIENTS {
        let (raw, token, now, sops, series) =
            (site.world.raw(), site.token.clone(), site.now, site.sops, format!("{series}-{client}"));
        clients.spawn(async move {
            let (mut wire, mut sent) = (Wire::open(&raw, "/graphql", &token).await, 0);
            while began.elapsed() < limit {
                let body = batch(Way::GraphQL, &series, &[Execution::new(sent, anywhere(sent), sops, now)]);
                taken(&wire.post(&body).await, 1);
                sent += 1;
            }
            sent
        });
    }
    let sent: u64 = clients.join_all().await.into_iter().sum();
    let took = began.elapsed().as_secs_f64();
    let cpu = format!("{} µs", digits((site.work().cpu() - before) / sent as f64 * 1e6));
    let time = format!("{} µs", digits(took / sent as f64 * 1e6));
    line(&format!("single mutations {series}: CPU of each; and time"), &cpu, &time, 0.0, Must::Nothing);
    (sent as f64 / took, sent)
}
