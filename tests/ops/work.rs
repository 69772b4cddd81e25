//! Something of everything that is counted, so that no panel has nothing to show.

use serde_json::{Value, json};

use crate::executions::{Reporter, count, from_now};
use crate::story::{Place, decide, draft, process, published, submit};
use crate::support::{World, respond};

/// A run of a round: 20 say whether the SOP was followed, 15 of them that it was; 4 do not say.
const RUNS: i64 = 24;

/// What there is to be seen of an organisation: an SOP in force, one that waits, one that was rejected.
pub async fn begin(world: &World, place: &Place) -> String {
    let sop = published(place, "Reset a password").await.code;
    for (key, title, verdict) in [("restore", "Restore a backup", None), ("fail-over", "Fail over", Some("REJECT"))] {
        let process = process(&place.author, &json!(place.team), key).await;
        let draft = draft(place, &place.author, &process, title).await;
        let request = submit(&place.author, &draft).await;
        if let Some(verdict) = verdict {
            decide(&place.reviewer, &request, &draft.hash, verdict, "not yet").await;
        }
    }
    let policies = place.manager.ok("{ policies { id } }", json!({})).await;
    assert!(policies["policies"].get(0).is_some(), "{policies} on {:?}", world.backend);
    sop
}

/// A round of work. What takes time has to happen at least twice, with a scrape between: a rate needs two values.
pub async fn round(world: &World, place: &Place, sop: &str, number: usize) {
    let tracker = Reporter::new(world, "tracker");
    let runs: Vec<_> = (0..RUNS).map(|n| run(sop, number, n)).collect();
    tracker.create("LIVE", &runs).await;
    let again = tracker.send("LIVE", &runs[..3]).await;
    assert_eq!(count(&again, "DUPLICATE"), 3, "{again:?}");
    let mut other = runs[0].clone();
    other["errors"] = json!(7);
    let unknown = json!({"eventId": format!("u{number}"), "runId": "u", "process": "nothing"});
    let refused = tracker.send("BACKFILL", &[other, unknown]).await;
    assert_eq!((count(&refused, "CONFLICT"), count(&refused, "REJECTED")), (1, 1), "{refused:?}");
    let training = json!({"eventId": format!("p{number}"), "runId": format!("p{number}"), "sop": sop});
    tracker.create("PRACTICE", &[training]).await;
    for _ in 0..5 {
        place.viewer.ok("{ me { person { name } } }", json!({})).await;
    }
    trouble(world, place).await;
}

/// Requests that fail, by the fault of the client and by that of the service.
async fn trouble(world: &World, place: &Place) {
    let raw = world.raw();
    let refused = respond(raw.http.post(raw.url("/graphql")).bearer_auth("nobody's").json(&json!({"query": "{ me }"})));
    assert_eq!(refused.await.status, 401);
    let malformed = respond(raw.http.post(raw.url("/graphql")).bearer_auth(&place.viewer.token).json(&json!([])));
    assert_eq!(malformed.await.status, 400);
    assert_eq!(place.viewer.error_code("{ nothing }", json!({})).await, "BAD_USER_INPUT");
    // A table that nothing reads in the meantime is gone for a moment.
    world.execute("ALTER TABLE policy RENAME TO policy_away").await;
    let code = place.manager.error_code("{ policies { id } }", json!({})).await;
    world.execute("ALTER TABLE policy_away RENAME TO policy").await;
    assert_eq!(code, "INTERNAL");
}

fn run(sop: &str, round: usize, n: i64) -> Value {
    let adherence = match n {
        0..15 => "FOLLOWED",
        15..18 => "DEVIATED",
        18..20 => "NOT_FOLLOWED",
        _ => "UNKNOWN",
    };
    let outcome = ["SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "FAILED"][usize::try_from(n % 4).unwrap()];
    let severity = ["MINOR", "MAJOR", "CRITICAL"][usize::try_from(n % 3).unwrap()];
    let step = if n % 5 == 0 { "FAILED" } else { "DONE" };
    json!({
        "eventId": format!("e{round}-{n}"), "runId": format!("r{round}-{n}"), "sop": sop,
        "startedAt": from_now(-7200), "finishedAt": from_now(-7200 + 60 * (n + 1)),
        "outcome": outcome, "adherence": adherence,
        "violations": [{"kind": "SLA", "severity": severity}],
        "satisfaction": {"score": n % 5 + 1, "by": "CUSTOMER"},
        "steps": [{"key": "reset", "status": step}],
    })
}
