//! By being quicker than the rules: the same voice several times at once, and decisions against withdrawals.

use std::time::Duration;

use sea_orm::ConnectionTrait as _;

use super::*;
use crate::acts::{delegate, draft_of, require, stage};
use crate::story::{CREATE_GRANT, WITHDRAW, person};
use crate::support::{Backend, connect, literal};

/// How often each race is run: the outcome must not depend on luck.
const ROUNDS: usize = 6;

/// What becomes of attempts that are made at the same time, in their order.
async fn at_once(attempts: Vec<(Client, &'static str, Value)>) -> Vec<Value> {
    let mut all = tokio::task::JoinSet::new();
    for (n, (who, query, input)) in attempts.into_iter().enumerate() {
        all.spawn(async move { (n, who.ok(query, input).await) });
    }
    let mut answers = all.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer.as_object().unwrap().values().next().unwrap().clone()).collect()
}

/// Which were taken, and the codes of the others.
fn sorted(answers: &[Value]) -> (usize, Vec<String>) {
    let refused = answers.iter().filter_map(|answer| answer["userErrors"][0]["code"].as_str()).map(str::to_owned);
    let refused: Vec<String> = refused.collect();
    (answers.len() - refused.len(), refused)
}

/// Requests that ask for several reviewers, by one author.
async fn requests(world: &World, needs: i64) -> (Place, Vec<(Draft, String)>) {
    let place = place(world).await;
    for n in 0..needs {
        person(&world.client(&["reviewer@ops"], &format!("extra-{n}"))).await;
    }
    require(world, "MATERIAL", &[stage("Review", "reviewer", needs)], false).await;
    let mut all = Vec::new();
    for n in 0..ROUNDS {
        let made = draft_of(&place, &format!("process-{n}"), &format!("Title {n}"), "LOW").await;
        let request = submit(&place.author, &made).await;
        all.push((made, request));
    }
    (place, all)
}

/// How long what somebody else holds is held: long enough that a request has come in and waits.
const HELD: Duration = Duration::from_secs(1);

/// What a decision is answered that comes in while somebody else changes something and holds what it needs.
async fn while_held(world: &World, sql: &str, who: &Client, input: Value) -> Value {
    let connection = connect(world.db.url()).await.unwrap();
    let (begin, hold) = match world.backend {
        Backend::Sqlite => ("BEGIN IMMEDIATE", "SELECT 1"),
        Backend::Postgres => ("BEGIN", "SELECT id FROM sop FOR UPDATE"),
    };
    for statement in [begin, hold, sql] {
        connection.execute_unprepared(statement).await.unwrap();
    }
    let who = who.clone();
    let waiting = tokio::spawn(async move { who.ok(DECIDE, input).await });
    tokio::time::sleep(HELD).await;
    assert!(!waiting.is_finished(), "nothing was waited for");
    connection.execute_unprepared("COMMIT").await.unwrap();
    connection.close().await.unwrap();
    waiting.await.unwrap()
}

/// Exactly one voice is heard in each request, the others are refused, and each refusal is on record.
async fn heard_once(world: &World, place: &Place, all: &[(Draft, String)], attempts: &[(Client, Option<String>)]) {
    for (made, request) in all {
        let attempt = |(who, behalf): &(Client, Option<String>)| {
            (who.clone(), DECIDE, answer(request, &made.hash, "APPROVE", behalf.as_deref()))
        };
        let answers = at_once(attempts.iter().map(attempt).collect()).await;
        assert_eq!(sorted(&answers), (1, vec!["FORBIDDEN".to_owned(); attempts.len() - 1]), "{answers:?}");
        let told = place.admin.ok(REFUSALS, json!({"object": request})).await;
        assert_eq!(told["audit"]["totalCount"], json!(attempts.len() - 1));
    }
    let standing = world.query_i64("SELECT COUNT(*) FROM approval_decision WHERE withdrawn_at IS NULL").await;
    assert_eq!(usize::try_from(standing).unwrap(), all.len());
    assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_request WHERE state <> 'OPEN'").await, 0);
    sound(world).await;
}

both! {
    async fn the_same_person_several_times_at_once(world: World) {
        let (place, all) = requests(&world, 3).await;
        let attempts: Vec<_> = (0..6).map(|_| (place.reviewer.clone(), None)).collect();
        heard_once(&world, &place, &all, &attempts).await;
    }

    async fn delegate_and_delegator_at_once(world: World) {
        let (place, all) = requests(&world, 3).await;
        let (dora, eve) = (world.client(&["viewer"], "dora"), world.client(&["reviewer@ops"], "eve"));
        let rob = person(&place.reviewer).await;
        for delegate_to in [&dora, &eve] {
            delegate(&place.reviewer, &person(delegate_to).await, "reviewer").await;
        }
        let attempts = [(place.reviewer.clone(), None), (dora, Some(rob.clone())), (eve, Some(rob))];
        heard_once(&world, &place, &all, &attempts).await;
    }

    async fn a_delegation_or_a_role_that_ends_while_the_decision_waits(world: World) {
        let (place, all) = requests(&world, 3).await;
        let dora = world.client(&["viewer"], "dora");
        let (rob, vic) = (person(&place.reviewer).await, person(&place.viewer).await);
        let delegation = delegate(&place.reviewer, &person(&dora).await, "reviewer").await;
        let grant = json!({"input": {"personId": vic, "role": "reviewer", "teamId": place.team}});
        let grant = text(&place.admin.mutate(CREATE_GRANT, grant).await["grant"]["id"]);
        let ended = format!("UPDATE delegation SET revoked_at = created_at + 1, revoked_by_id = from_id WHERE id = {}", literal(&world, &delegation));
        let taken = format!("DELETE FROM role_grant WHERE id = {}", literal(&world, &grant));
        let attempts = [(&dora, Some(rob.as_str()), ended), (&place.viewer, None, taken)];
        for ((who, behalf, sql), (made, request)) in attempts.into_iter().zip(&all) {
            let waiting = while_held(&world, &sql, who, answer(request, &made.hash, "APPROVE", behalf)).await;
            let code = &waiting["approvalDecide"]["userErrors"][0]["code"];
            assert!(code == "FORBIDDEN" || code == "NOT_FOUND", "{waiting}");
            let told = place.admin.ok(REFUSALS, json!({"object": request})).await;
            assert_eq!(told["audit"]["totalCount"], json!(1));
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_decision").await, 0);
        sound(&world).await;
    }

    async fn a_decision_that_waits_is_dated_when_it_is_taken(world: World) {
        let (place, all) = requests(&world, 3).await;
        let (made, request) = &all[0];
        let before = chrono::Utc::now();
        let answered = while_held(&world, "SELECT 1", &place.reviewer, answer(request, &made.hash, "APPROVE", None)).await;
        assert_eq!(answered["approvalDecide"]["userErrors"], json!([]), "{answered}");
        let decided = world.query_i64("SELECT decided_at FROM approval_decision").await;
        let waited = decided - before.timestamp_micros();
        assert!(waited >= HELD.as_micros().try_into().unwrap(), "{waited} µs after it was sent");
    }

    async fn accounts_of_one_person_at_once(world: World) {
        let (place, all) = requests(&world, 3).await;
        let mut attempts = vec![(place.reviewer.clone(), None)];
        for n in 0..3 {
            let second = world.client(&["reviewer@ops"], &format!("rob-{n}"));
            attempts.push((second.with_claim("email", json!("rob@example.org")), None));
            person(&attempts[n + 1].0).await;
        }
        heard_once(&world, &place, &all, &attempts).await;
    }

    async fn accounts_of_one_person_that_nobody_knew_of_before(world: World) {
        let (place, all) = requests(&world, 3).await;
        // Each comes for the first time with its decision, at the same time as the other.
        for (n, (made, request)) in all.iter().enumerate() {
            let account = |k: usize| {
                let who = world.client(&["reviewer@ops"], &format!("new-{n}-{k}"));
                who.with_claim("email", json!(format!("new-{n}@example.org")))
            };
            let attempts = (0..3).map(|k| (account(k), DECIDE, answer(request, &made.hash, "APPROVE", None))).collect();
            let answers = at_once(attempts).await;
            assert_eq!(sorted(&answers), (1, vec!["FORBIDDEN".to_owned(); 2]), "{answers:?}");
        }
        let standing = world.query_i64("SELECT COUNT(*) FROM approval_decision").await;
        assert_eq!(usize::try_from(standing).unwrap(), all.len());
        drop(place);
        sound(&world).await;
    }

    async fn a_withdrawal_and_the_last_approval_at_once(world: World) {
        let (place, all) = requests(&world, 1).await;
        for (made, request) in &all {
            let answers = at_once(vec![
                (place.reviewer.clone(), DECIDE, answer(request, &made.hash, "APPROVE", None)),
                (place.author.clone(), WITHDRAW, json!({"input": {"requestId": request}})),
            ]).await;
            let (taken, refused) = sorted(&answers);
            assert_eq!((taken, refused), (1, vec!["CONFLICT".to_owned()]), "{answers:?}");
            let approved = answers[0]["userErrors"] == json!([]);
            let query = "query($id: ID!) { approvalRequest(id: $id) { state decisions { id } version { state } } }";
            let seen = place.author.ok(query, json!({"id": request})).await["approvalRequest"].clone();
            let expected = if approved { ("APPROVED", 1, "PUBLISHED") } else { ("WITHDRAWN", 0, "DRAFT") };
            let decisions = seen["decisions"].as_array().unwrap().len();
            assert_eq!((seen["state"].as_str(), decisions, seen["version"]["state"].as_str()),
                (Some(expected.0), expected.1, Some(expected.2)), "{seen}");
        }
        sound(&world).await;
    }

    async fn an_approval_and_a_rejection_at_once(world: World) {
        let (place, all) = requests(&world, 1).await;
        let other = world.client(&["reviewer@ops"], "extra-0");
        for (made, request) in &all {
            let answers = at_once(vec![
                (place.reviewer.clone(), DECIDE, answer(request, &made.hash, "APPROVE", None)),
                (other.clone(), DECIDE, answer(request, &made.hash, "REJECT", None)),
            ]).await;
            assert_eq!(sorted(&answers), (1, vec!["CONFLICT".to_owned()]), "{answers:?}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_decision").await, i64::try_from(ROUNDS).unwrap());
        sound(&world).await;
    }

    async fn a_comment_and_the_approval_that_asks_for_none_open(world: World) {
        let (place, _) = requests(&world, 1).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 1)], true).await;
        let mut after = 0;
        for n in 0..ROUNDS {
            let made = draft_of(&place, &format!("gated-{n}"), &format!("Gated {n}"), "LOW").await;
            let request = submit(&place.author, &made).await;
            let objection = json!({"input": {"versionId": made.version, "body": "Wait."}});
            let answers = at_once(vec![
                (place.approver.clone(), crate::story::CREATE_COMMENT, objection),
                (place.reviewer.clone(), DECIDE, answer(&request, &made.hash, "APPROVE", None)),
            ]).await;
            let (objected, approved) = (answers[0]["userErrors"] == json!([]), answers[1]["userErrors"] == json!([]));
            assert!(objected != approved, "one of the two was first: {answers:?}");
            after += usize::from(approved);
        }
        let published = world.query_i64("SELECT COUNT(*) FROM version WHERE state = 'PUBLISHED'").await;
        assert_eq!(usize::try_from(published).unwrap(), after);
    }
}
