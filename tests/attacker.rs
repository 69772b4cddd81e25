//! Whoever wants something published that the policy has not approved. Every attempt is refused with the right code,
//! changes nothing, and is on record where a person tried to decide.

mod accounts;
mod content;
mod delegates;
mod races;
mod roles;
mod rules;
mod tokens;

use serde_json::{Value, json};

use crate::acts::answer;
use crate::story::{DECIDE, Draft, Place, draft, place, submit, text};
use crate::support::{Client, World, both};

/// A place with a version in review.
struct Siege {
    world: World,
    place: Place,
    made: Draft,
    request: String,
}

/// What a decision could have changed, and how often the chain tells of anything but people and what was refused.
const STATE: [&str; 7] = [
    "SELECT COUNT(*) FROM approval_decision WHERE withdrawn_at IS NULL",
    "SELECT COUNT(*) FROM approval_voice",
    "SELECT COUNT(*) FROM approval_request WHERE state = 'OPEN'",
    "SELECT CAST(COALESCE(SUM(stage), 0) AS bigint) FROM approval_request",
    "SELECT CAST(COALESCE(SUM(revision), 0) AS bigint) FROM version",
    "SELECT COUNT(*) FROM version WHERE state IN ('PUBLISHED', 'APPROVED')",
    "SELECT COUNT(*) FROM audit_entry WHERE action NOT LIKE '%refused' AND action NOT LIKE 'person.%'",
];

const REFUSALS: &str = "query($object: ID!) { audit(filter: {action: \"approval.refused\", object: $object}, last: 1) {
    totalCount nodes { actor { name id } onBehalfOf { id } sop { code } teamId oldValue newValue reason } } }";

/// Everything in [`STATE`].
async fn state(world: &World) -> Vec<i64> {
    let mut all = Vec::new();
    for query in STATE {
        all.push(world.query_i64(query).await);
    }
    all
}

impl Siege {
    async fn lay(world: World) -> Self {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        Self { world, place, made, request }
    }

    async fn refusals(&self, request: &str) -> (i64, Value) {
        let found = self.place.admin.ok(REFUSALS, json!({"object": request})).await["audit"].clone();
        (found["totalCount"].as_i64().unwrap(), found["nodes"][0].clone())
    }

    /// Tries to decide as the input says: refused with this code and these words, changing nothing, and on record.
    async fn repelled(&self, who: &Client, attempt: Value, code: &str, words: &str) {
        let request = text(&attempt["input"]["requestId"]);
        // Whoever comes for the first time is made before.
        let person = crate::story::person(who).await;
        let ((before, _), was) = (self.refusals(&request).await, state(&self.world).await);
        let refusal = who.refused(DECIDE, attempt.clone()).await;
        assert_eq!(refusal.code, code, "{refusal:?}");
        assert!(refusal.message.contains(words), "{refusal:?} instead of {words}");
        assert_eq!(state(&self.world).await, was, "{refusal:?} changed something");
        let (after, entry) = self.refusals(&request).await;
        assert_eq!(after, before + 1, "one entry: {refusal:?}");
        assert_eq!(entry["actor"]["id"], json!(person));
        assert_eq!(entry["onBehalfOf"]["id"], attempt["input"]["onBehalfOfId"], "{entry}");
        let (verdict, content) = (&attempt["input"]["verdict"], &attempt["input"]["contentHash"]);
        assert_eq!(entry["newValue"], json!({"verdict": verdict, "content": content, "code": code}));
        assert!(entry["reason"].as_str().is_some_and(|why| !why.is_empty()), "{entry}");
        assert!(entry["sop"]["code"].is_string() && entry["teamId"].is_string(), "{entry}");
    }

    /// The same with the request and the content of the siege, for both verdicts.
    async fn holds(&self, who: &Client, behalf: Option<&str>, code: &str, words: &str) {
        for verdict in ["APPROVE", "REJECT"] {
            self.repelled(who, answer(&self.request, &self.made.hash, verdict, behalf), code, words).await;
        }
    }

    async fn approve(&self, who: &Client) -> Value {
        crate::story::decide(who, &self.request, &self.made.hash, "APPROVE", "").await
    }

    /// The two who may take the request through, to its end.
    async fn relieved(&self) {
        self.approve(&self.place.reviewer).await;
        let done = self.approve(&self.place.approver).await;
        assert_eq!(done["version"]["state"], "PUBLISHED", "{done}");
        sound(&self.world).await;
    }
}

/// The chain verifies.
async fn sound(world: &World) {
    let verified = world.command(&["audit", "verify", "--json"]).await;
    let told: Value = serde_json::from_str(&verified.stdout).unwrap_or_else(|_| panic!("{verified:?}"));
    assert_eq!(told["ok"], true, "{verified:?}");
}

const ONCE: &str = "one person decides once";
const CONTRIBUTED: &str = "contributed";
const NO_ROLE: &str = "roles do not allow";
const NO_DELEGATION: &str = "no delegation from this person";
