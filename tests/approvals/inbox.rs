//! What waits for somebody, and who is waited for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::acts::{boss, delegate, draft_of, require, stage};
use crate::story::{
    CREATE_TEAM, CREATE_VERSION, Place, RETIRE, decide, draft, look, person, place, process, published, submit, text,
};
use crate::support::{Client, World, both};

const PAGE: &str = "query($first: Int, $after: String, $last: Int, $before: String) { me {
    pendingDecisions(first: $first, after: $after, last: $last, before: $before) { totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        nodes { age since stage { name role } request { id sop { code } waitingFor { name } } } } } }";

/// All requests that wait for somebody, page by page, with whether they are among those waited for.
async fn inbox(who: &Client, name: &str, size: i64) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = who.ok(PAGE, json!({"first": size, "after": after})).await["me"]["pendingDecisions"].clone();
        for node in page["nodes"].as_array().unwrap() {
            let waiting = node["request"]["waitingFor"].as_array().unwrap();
            assert!(waiting.iter().any(|person| person["name"] == name), "{name} is not waited for: {node}");
            assert!(text(&node["age"]).starts_with('P') && node["since"].is_string(), "{node}");
            all.push(text(&node["request"]["id"]));
        }
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(page["totalCount"], json!(all.len()));
            return all;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

async fn several(place: &Place, n: usize) -> Vec<(crate::story::Draft, String)> {
    let mut all = Vec::new();
    for i in 0..n {
        let made = draft_of(place, &format!("process-{i}"), &format!("Title {i}"), "LOW").await;
        let request = submit(&place.author, &made).await;
        all.push((made, request));
    }
    all
}

both! {
    async fn holds_what_one_can_decide_oldest_first_page_by_page(world: World) {
        let place = place(&world).await;
        let all = several(&place, 5).await;
        let ids: Vec<String> = all.iter().map(|(_, request)| request.clone()).collect();
        for size in [1, 2, 100] {
            assert_eq!(inbox(&place.reviewer, "rob", size).await, ids);
        }
        assert_eq!(inbox(&place.approver, "amy", 2).await, Vec::<String>::new(), "their stage is not open");
        let last = place.reviewer.ok(PAGE, json!({"last": 2})).await["me"]["pendingDecisions"].clone();
        let shown: Vec<String> = last["nodes"].as_array().unwrap().iter().map(|n| text(&n["request"]["id"])).collect();
        assert_eq!((&shown[..], &last["pageInfo"]["hasPreviousPage"]), (&ids[3..], &json!(true)));
        // What was decided leaves one inbox and comes into the next.
        decide(&place.reviewer, &ids[1], &all[1].0.hash, "APPROVE", "").await;
        decide(&place.reviewer, &ids[3], &all[3].0.hash, "REJECT", "no").await;
        assert_eq!(inbox(&place.reviewer, "rob", 2).await, [ids[0].clone(), ids[2].clone(), ids[4].clone()]);
        assert_eq!(inbox(&place.approver, "amy", 2).await, [ids[1].clone()]);
        let page = place.approver.ok(PAGE, json!({})).await["me"]["pendingDecisions"]["nodes"][0].clone();
        assert_eq!(page["stage"], json!({"name": "Approval", "role": "approver"}));
        // Neither whoever contributed, by any account, nor who manages or reads.
        for (roles, subject, email) in [
            (&["author@ops", "reviewer@ops"][..], "ann", "ann@example.org"), (&["reviewer@ops"], "ann-2", "ann@example.org"),
            (&["reviewer@net"], "nel", "nel@example.org"), (&["admin", "manager"], "all", "all@example.org"),
        ] {
            let who = world.client(roles, subject).with_claim("email", json!(email));
            assert_eq!(inbox(&who, subject, 100).await, Vec::<String>::new(), "{subject}");
        }
    }

    async fn counts_one_person_once_whatever_their_accounts_and_delegations(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 2), stage("Approval", "approver", 1)], false).await;
        let ria = world.client(&["reviewer@ops"], "ria");
        let second = world.client(&["reviewer@ops"], "rob-2").with_claim("email", json!("rob@example.org"));
        let dora = world.client(&["viewer"], "dora");
        for who in [&ria, &second] {
            person(who).await;
        }
        let all = several(&place, 2).await;
        let pending = async |who: &Client| {
            let query = "{ me { pendingDecisions { nodes { request { id } } totalCount } } }";
            who.ok(query, json!({})).await["me"]["pendingDecisions"]["totalCount"].clone()
        };
        // Two who delegated to the same person show each request once.
        for from in [&place.reviewer, &ria] {
            delegate(from, &person(&dora).await, "reviewer").await;
        }
        assert_eq!(pending(&dora).await, 2);
        decide(&place.reviewer, &all[0].1, &all[0].0.hash, "APPROVE", "").await;
        assert_eq!(pending(&second).await, 1, "the other account was heard");
        assert_eq!(pending(&dora).await, 2, "she can decide for the other still");
        decide(&ria, &all[0].1, &all[0].0.hash, "APPROVE", "").await;
        assert_eq!((pending(&dora).await, pending(&place.approver).await), (json!(1), json!(1)));
    }

    async fn shows_ones_own_drafts_newest_first(world: World) {
        let place = place(&world).await;
        let query = "query($first: Int, $after: String) { me { drafts(first: $first, after: $after) { totalCount
            pageInfo { hasNextPage endCursor } nodes { id state sop { code } } } } }";
        let drafts = async |who: &Client| {
            let found = who.ok(query, json!({})).await["me"]["drafts"].clone();
            let nodes = found["nodes"].as_array().unwrap().iter().map(|v| text(&v["id"])).collect::<Vec<_>>();
            assert_eq!(found["totalCount"], json!(nodes.len()));
            nodes
        };
        let first = draft(&place, &place.author, &place.process, "Reset a password").await;
        let second = draft_of(&place, "vpn", "VPN", "LOW").await;
        assert_eq!(drafts(&place.author).await, [second.version.clone(), first.version.clone()]);
        let page = place.author.ok(query, json!({"first": 1})).await["me"]["drafts"].clone();
        let rest = place.author.ok(query, json!({"first": 1, "after": page["pageInfo"]["endCursor"]})).await;
        assert_eq!(rest["me"]["drafts"]["nodes"][0]["id"], json!(first.version));
        // What is in review is no draft; what others write is not one's own, though one sees it.
        submit(&place.author, &second).await;
        assert_eq!(drafts(&place.author).await, [first.version.as_str()]);
        assert_eq!(drafts(&place.reviewer).await, Vec::<String>::new());
        // Whoever edits it has it too; and the owner, who need not have written any of it.
        let ed = world.client(&["author@ops"], "ed");
        let input = json!({"id": first.version, "expectedRevision": 1, "content": crate::story::content("Reset")});
        ed.mutate(crate::story::EDIT, json!({"input": input})).await;
        assert_eq!(drafts(&ed).await, [first.version.as_str()]);
        let revision = look(&place.author, &first.sop).await["revision"].clone();
        let input = json!({"id": first.sop, "expectedRevision": revision, "ownerId": person(&place.viewer).await});
        place.author.mutate(crate::story::HAND_OVER, json!({"input": input})).await;
        assert_eq!(drafts(&place.viewer).await, [first.version.as_str()]);
        // What one may not see any more is not shown.
        assert_eq!(drafts(&world.client(&["viewer"], "ed")).await, Vec::<String>::new());
    }

    async fn of_a_team_is_listed_for_those_who_see_it(world: World) {
        let place = place(&world).await;
        let other = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "net", "name": "Net"}})).await;
        let nets = Place {
            team: text(&other["team"]["id"]),
            author: world.client(&["author@net"], "nan"),
            reviewer: world.client(&["reviewer@net"], "ned"),
            approver: world.client(&["approver@net"], "noa"),
            ..place.clone()
        };
        for who in [&nets.reviewer, &nets.approver] {
            person(who).await;
        }
        let (own, theirs) = (several(&place, 2).await, {
            let process = process(&nets.author, &other["team"]["id"], "switches").await;
            let made = draft(&nets, &nets.author, &process, "Switches").await;
            submit(&nets.author, &made).await
        });
        let query = "query($filter: ApprovalRequestsFilter) { approvalRequests(filter: $filter) { totalCount nodes { id } } }";
        let listed = async |who: &Client, filter: Value| {
            let found = who.ok(query, json!({"filter": filter})).await["approvalRequests"].clone();
            let ids: BTreeSet<String> = found["nodes"].as_array().unwrap().iter().map(|r| text(&r["id"])).collect();
            assert_eq!(found["totalCount"], json!(ids.len()));
            ids
        };
        let mine: BTreeSet<String> = own.iter().map(|(_, request)| request.clone()).collect();
        let boss = boss(&world);
        assert_eq!(listed(&boss, json!({})).await.len(), 3);
        assert_eq!(listed(&boss, json!({"teamId": place.team})).await, mine);
        assert_eq!(listed(&boss, json!({"teamId": nets.team})).await, BTreeSet::from([theirs.clone()]));
        assert_eq!(listed(&place.manager, json!({"teamId": place.team, "state": "OPEN"})).await, mine);
        assert_eq!(listed(&place.manager, json!({"teamId": nets.team})).await, BTreeSet::new(), "not theirs to see");
        assert_eq!(listed(&place.manager, json!({"teamId": place.team, "state": "REJECTED"})).await, BTreeSet::new());
        assert_eq!(listed(&boss, json!({"teamId": place.team, "sopId": own[0].0.sop})).await, BTreeSet::from([own[0].1.clone()]));
        assert_eq!(listed(&place.viewer, json!({"teamId": place.team})).await, BTreeSet::new());
    }

    async fn holds_retirements_too(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": made.sop}})).await;
        let revision = look(&place.author, &made.sop).await["revision"].clone();
        let input = json!({"id": made.sop, "expectedRevision": revision, "reason": "gone"});
        let asked = place.author.mutate(RETIRE, json!({"input": input})).await;
        assert_eq!(inbox(&place.approver, "amy", 10).await, [text(&asked["approvalRequest"]["id"])]);
        let owner = world.client(&["author@ops", "approver@ops"], "ann");
        assert_eq!(inbox(&owner, "ann", 10).await, Vec::<String>::new(), "who asks does not decide");
    }
}
