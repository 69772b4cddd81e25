//! Two hundred people deciding at once on fifty requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};

use crate::acts::{boss, delegate, draft_of, stage};
use crate::story::{CREATE_POLICY, DECIDE, Draft, Place, number, person, place, submit, text};
use crate::support::{Client, World, both};

const PEOPLE: usize = 200;
const REQUESTS: usize = 50;
/// In how many requests everybody tries to decide.
const TRIES: usize = 4;
/// How many people have a second account, and how many decide in the place of a neighbour.
const TWINS: usize = 20;
const DELEGATES: usize = 10;
/// How many requests somebody or other tries to reject.
const REJECTED: usize = 5;

/// What the policy of each risk asks for, stage by stage.
const POLICIES: [(&str, &[(&str, i64)]); 3] = [
    ("LOW", &[("reviewer", 3), ("approver", 2)]),
    ("MEDIUM", &[("reviewer", 2), ("approver", 3), ("reviewer", 1)]),
    ("HIGH", &[("approver", 5)]),
];

/// An account: what it is called, whose it is, and for whom it decides.
#[derive(Clone)]
struct Account {
    client: Client,
    name: String,
    owner: usize,
    behalf: Option<(usize, String)>,
}

/// A decision that somebody tries.
struct Attempt {
    account: Account,
    request: String,
    input: Value,
}

/// A decision as the answer to it, or the database, tells of it: request, account, in whose place, verdict.
type Told = (String, String, Option<String>, String);

async fn crowd(world: &World) -> Vec<Account> {
    let mut all = Vec::new();
    for n in 0..PEOPLE {
        // Twins are the second accounts of the first people.
        let owner = if n < PEOPLE - TWINS { n } else { n - (PEOPLE - TWINS) };
        let roles: &[&str] = match n % 5 {
            0 | 1 => &["reviewer@ops"],
            2 | 3 => &["approver@ops"],
            _ => &["reviewer@ops", "approver@ops"],
        };
        let name = format!("p{n}");
        let client = world.client(roles, &name).with_claim("email", json!(format!("p{owner}@example.org")));
        all.push(Account { client, name, owner, behalf: None });
    }
    let mut signing_in = tokio::task::JoinSet::new();
    for account in all.clone() {
        signing_in.spawn(async move { (account.name.clone(), person(&account.client).await) });
    }
    let ids: BTreeMap<String, String> = signing_in.join_all().await.into_iter().collect();
    for n in 0..DELEGATES {
        // Who holds both roles lets the next one decide as an approver; both are tried in the same requests.
        let (from, to) = (n * 5 + 4, n * 5 + 5);
        delegate(&all[from].client, &ids[&all[to].name], "approver").await;
        all[to].behalf = Some((from, ids[&all[from].name].clone()));
    }
    all
}

async fn requests(world: &World, place: &Place) -> Vec<(Draft, String, usize)> {
    let boss = boss(world);
    for (risk, stages) in POLICIES {
        let stages: Vec<Value> =
            stages.iter().enumerate().map(|(n, (role, needs))| stage(&format!("Stage {n}"), role, *needs)).collect();
        let input = json!({"kind": "MATERIAL", "risk": risk, "stages": stages});
        boss.mutate(CREATE_POLICY, json!({"input": input})).await;
    }
    let mut all = Vec::new();
    for n in 0..REQUESTS {
        let policy = n % POLICIES.len();
        let made = draft_of(place, &format!("process-{n}"), &format!("Title {n}"), POLICIES[policy].0).await;
        let request = submit(&place.author, &made).await;
        all.push((made, request, policy));
    }
    all
}

/// What everybody tries, in rounds that each have everybody at once.
fn attempts(people: &[Account], requests: &[(Draft, String, usize)]) -> Vec<Vec<Attempt>> {
    let mut rounds = Vec::new();
    for round in 0..TRIES {
        let mut attempts = Vec::new();
        for account in people {
            // In every other round, those who delegated leave it to their delegates.
            let delegated = account.owner % 5 == 4 && account.owner < DELEGATES * 5;
            if delegated && round % 2 == 1 {
                continue;
            }
            // Those with a part in each other try the same requests.
            let home = account.behalf.as_ref().map_or(account.owner, |(from, _)| *from);
            let (made, request, _) = &requests[(home * 7 + round * 11) % requests.len()];
            let n = (home * 7 + round * 11) % requests.len();
            let rejects = n < REJECTED && account.owner % 7 == 0;
            let verdict = if rejects { "REJECT" } else { "APPROVE" };
            let mut input = json!({"requestId": request, "contentHash": made.hash, "verdict": verdict, "comment": "so",
                "idempotencyKey": format!("{request}-{round}")});
            if let Some((_, id)) = &account.behalf {
                input["onBehalfOfId"] = json!(id);
            }
            attempts.push(Attempt { account: account.clone(), request: request.clone(), input: input.clone() });
            // Some press the button twice: with the same key it is the same decision, without one it is another.
            if account.owner % 10 == 3 {
                if account.owner % 20 == 3 {
                    input["idempotencyKey"] = Value::Null;
                }
                attempts.push(Attempt { account: account.clone(), request: request.clone(), input });
            }
        }
        rounds.push(attempts);
    }
    rounds
}

/// Tries until there is an answer that says what became of it.
async fn attempt(attempt: &Attempt) -> Value {
    for _ in 0..20 {
        let mut response = attempt.account.client.send(DECIDE, json!({"input": attempt.input})).await;
        if response.body["data"]["approvalDecide"].is_object() {
            return response.body["data"]["approvalDecide"].take();
        }
        let code = response.body["errors"][0]["extensions"]["code"].clone();
        assert_eq!(code, "UNAVAILABLE", "{response:?}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("no answer in twenty times");
}

/// A request as it is in the end.
async fn outcome(who: &Client, request: &str) -> Value {
    let query =
        "query($id: ID!) { approvalRequest(id: $id) { state version { state } stages { minApprovals openedAt closedAt
        decisions { person { name } onBehalfOf { name } verdict withdrawnAt } } } }";
    who.ok(query, json!({"id": request})).await["approvalRequest"].clone()
}

/// No stage has fewer or more approvals than it asks for, or any before the one before it was through.
fn check_stages(request: &str, seen: &Value, policy: usize) {
    let stages = seen["stages"].as_array().unwrap();
    let state = seen["state"].as_str().unwrap();
    let count = |stage: &Value, verdict: &str| {
        let all = stage["decisions"].as_array().unwrap().iter();
        i64::try_from(all.filter(|d| d["verdict"] == verdict && d["withdrawnAt"].is_null()).count()).unwrap()
    };
    let needs: Vec<i64> = stages.iter().map(|stage| number(&stage["minApprovals"])).collect();
    assert_eq!(needs, POLICIES[policy].1.iter().map(|(_, needs)| *needs).collect::<Vec<_>>());
    let through = stages.iter().take_while(|stage| count(stage, "APPROVE") == number(&stage["minApprovals"])).count();
    let rejected: i64 = stages.iter().map(|stage| count(stage, "REJECT")).sum();
    for (n, stage) in stages.iter().enumerate() {
        let approved = count(stage, "APPROVE");
        assert!(approved <= needs[n], "{request}: too many in stage {n}: {seen}");
        assert!(
            n <= through || (approved == 0 && stage["openedAt"].is_null()),
            "{request}: stage {n} too early: {seen}"
        );
    }
    let expected = match (through == stages.len(), rejected) {
        (true, 0) => ("APPROVED", "PUBLISHED"),
        (false, 0) => ("OPEN", "IN_REVIEW"),
        (false, 1) => ("REJECTED", "DRAFT"),
        other => panic!("{request}: {other:?}: {seen}"),
    };
    assert_eq!((state, seen["version"]["state"].as_str().unwrap()), expected, "{request}: {seen}");
}

both! {
    async fn two_hundred_people_decide_on_fifty_requests_at_once(world: World) {
        let place = place(&world).await;
        let people = crowd(&world).await;
        let requests = requests(&world, &place).await;
        let start = Instant::now();
        let (mut acknowledged, mut told_twice, mut refused) = (BTreeSet::<Told>::new(), 0, 0_i64);
        let mut keyed = BTreeSet::new();
        for round in attempts(&people, &requests) {
            let mut all = tokio::task::JoinSet::new();
            for one in round {
                all.spawn(async move { (attempt(&one).await, one) });
            }
            for (answer, one) in all.join_all().await {
                if answer["userErrors"] != json!([]) {
                    assert!(matches!(answer["userErrors"][0]["code"].as_str(), Some("FORBIDDEN" | "CONFLICT" | "NOT_FOUND")), "{answer}");
                    refused += 1;
                    continue;
                }
                let behalf = one.account.behalf.as_ref().map(|(from, _)| people[*from].name.clone());
                let new = (one.request.clone(), one.account.name.clone(), behalf, text(&one.input["verdict"]));
                let key = (one.account.name.clone(), text_or_none(&one.input["idempotencyKey"]));
                if !acknowledged.insert(new) {
                    // The same decision again: only by the same key.
                    assert!(key.1.is_some() && keyed.contains(&key), "acknowledged twice: {answer}");
                    told_twice += 1;
                }
                keyed.insert(key);
            }
        }
        let took = start.elapsed();

        let mut kept = BTreeSet::<Told>::new();
        let (mut closed, mut states) = (0, BTreeMap::<String, usize>::new());
        let owner = |name: &str| people.iter().find(|account| account.name == name).unwrap().owner;
        for (_, request, policy) in &requests {
            let seen = outcome(&place.author, request).await;
            check_stages(request, &seen, *policy);
            *states.entry(text(&seen["state"])).or_default() += 1;
            closed += usize::from(seen["state"] != "OPEN");
            let mut heard = BTreeSet::new();
            for decision in seen["stages"].as_array().unwrap().iter().flat_map(|s| s["decisions"].as_array().unwrap()) {
                let (name, behalf) = (text(&decision["person"]["name"]), text_or_none(&decision["onBehalfOf"]["name"]));
                for voice in [Some(&name), behalf.as_ref()].into_iter().flatten() {
                    assert!(heard.insert(owner(voice)), "{voice} was heard twice: {seen}");
                }
                assert!(kept.insert((request.clone(), name, behalf, text(&decision["verdict"]))), "twice: {seen}");
            }
        }
        assert_eq!(kept, acknowledged, "what was acknowledged is what is kept");
        let count = async |sql: &str| world.query_i64(&format!("SELECT COUNT(*) FROM {sql}")).await;
        let decisions = i64::try_from(kept.len()).unwrap();
        assert_eq!(count("approval_decision").await, decisions);
        assert_eq!(count("audit_entry WHERE action = 'approval.decided'").await, decisions);
        assert_eq!(count("audit_entry WHERE action = 'approval.refused'").await, refused);
        let voices = kept.iter().map(|(_, _, behalf, _)| 1 + usize::from(behalf.is_some())).sum::<usize>();
        assert_eq!(usize::try_from(count("approval_voice").await).unwrap(), voices);
        let verified = world.command(&["audit", "verify", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&verified.stdout).unwrap()["ok"], true, "{verified:?}");
        println!("{decisions} decisions taken, {refused} refused, {told_twice} told again in {took:?}: {states:?}");
        // A crowd that closes nothing has tried nothing.
        assert!(closed >= REQUESTS / 2 && refused > 100 && told_twice > 0, "{states:?}, {refused} refused, {told_twice} again");
        assert!(states.contains_key("REJECTED") && states.contains_key("APPROVED"), "{states:?}");
        assert!(kept.iter().any(|(_, _, behalf, _)| behalf.is_some()), "nobody decided in another's place");
    }
}

fn text_or_none(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
