//! By a delegation, in either direction, chained, to oneself, expired or taken back.

use std::time::Duration;

use super::*;
use crate::acts::{approve_for, delegate, delegation, require, stage};
use crate::story::{CREATE_DELEGATION, CREATE_GRANT, REVOKE_DELEGATION, REVOKE_GRANT, from_now, person};

both! {
    async fn whoever_contributed_decides_neither_by_a_delegate_nor_as_one(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        // The author has all the roles there are; and an editor and a submitter who are not the author.
        let greedy = world.client(&["author@ops", "reviewer@ops", "approver@ops"], "ann");
        siege.holds(&greedy, None, "FORBIDDEN", CONTRIBUTED).await;
        let dora = world.client(&["viewer"], "dora");
        let (ann, dora_id, rob) = (person(&greedy).await, person(&dora).await, person(&place.reviewer).await);
        // From the author to somebody who has nothing to do with it.
        delegate(&greedy, &dora_id, "reviewer").await;
        siege.holds(&dora, Some(&ann), "FORBIDDEN", CONTRIBUTED).await;
        // From somebody who may to the author.
        delegate(&place.reviewer, &ann, "reviewer").await;
        siege.holds(&greedy, Some(&rob), "FORBIDDEN", CONTRIBUTED).await;
        // A delegation of one role is none of the other.
        delegate(&place.approver, &dora_id, "approver").await;
        let amy = person(&place.approver).await;
        siege.holds(&dora, Some(&amy), "FORBIDDEN", "needs the role 'reviewer'").await;
        siege.approve(&place.reviewer).await;
        siege.holds(&dora, Some(&ann), "FORBIDDEN", CONTRIBUTED).await;
        let done = approve_for(&dora, &siege.request, &siege.made.hash, &amy).await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
        sound(world).await;
    }

    async fn whoever_was_heard_is_not_heard_again_by_a_delegate_or_as_one(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 2), stage("Approval", "approver", 2)], false).await;
        let extra = ["ria", "rex"].map(|name| world.client(&["reviewer@ops"], name));
        let both = world.client(&["reviewer@ops", "approver@ops"], "bob");
        let dora = world.client(&["viewer"], "dora");
        for who in extra.iter().chain([&both, &dora]) {
            person(who).await;
        }
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let siege = Siege { world, place, made, request };
        let place = &siege.place;
        let (rob, bob) = (person(&place.reviewer).await, person(&both).await);
        let (amy, dora_id, ria) = (person(&place.approver).await, person(&dora).await, person(&extra[0]).await);
        // Dora decides for Rob: now neither is heard again in the stage.
        delegate(&place.reviewer, &dora_id, "reviewer").await;
        approve_for(&dora, &siege.request, &siege.made.hash, &rob).await;
        siege.holds(&place.reviewer, None, "FORBIDDEN", ONCE).await;
        siege.holds(&dora, Some(&rob), "FORBIDDEN", ONCE).await;
        delegate(&extra[0], &dora_id, "reviewer").await;
        siege.holds(&dora, Some(&ria), "FORBIDDEN", ONCE).await;
        delegate(&place.reviewer, &person(&extra[1]).await, "reviewer").await;
        siege.holds(&extra[1], Some(&rob), "FORBIDDEN", ONCE).await;
        // Nor in the next, whatever roles come along.
        siege.approve(&both).await;
        siege.holds(&both, None, "FORBIDDEN", ONCE).await;
        delegate(&place.approver, &dora_id, "approver").await;
        siege.holds(&dora, Some(&amy), "FORBIDDEN", ONCE).await;
        delegate(&place.approver, &bob, "approver").await;
        siege.holds(&both, Some(&amy), "FORBIDDEN", ONCE).await;
        delegate(&both, &person(&extra[1]).await, "approver").await;
        siege.holds(&extra[1], Some(&bob), "FORBIDDEN", ONCE).await;
        sound(&siege.world).await;
    }

    async fn delegations_do_not_chain(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        let (bea, cal) = (world.client(&["viewer"], "bea"), world.client(&["author@ops"], "cal"));
        let (rob, bea_id, cal_id) = (person(&place.reviewer).await, person(&bea).await, person(&cal).await);
        delegate(&place.reviewer, &bea_id, "reviewer").await;
        // What was delegated to her is not hers to delegate.
        let before = state(world).await;
        assert_eq!(bea.refused(CREATE_DELEGATION, delegation(&cal_id, "reviewer")).await.code, "FORBIDDEN");
        assert_eq!(state(world).await, before);
        siege.holds(&cal, Some(&bea_id), "FORBIDDEN", NO_ROLE).await;
        siege.holds(&cal, Some(&rob), "FORBIDDEN", NO_ROLE).await;
        // Nor is it once she has the role herself, but for another team.
        let bea = world.client(&["reviewer@other"], "bea");
        delegate(&bea, &cal_id, "reviewer").await;
        siege.holds(&cal, Some(&bea_id), "FORBIDDEN", NO_ROLE).await;
        siege.holds(&cal, Some(&rob), "FORBIDDEN", NO_ROLE).await;
        // Nor past a delegation's own team.
        let org = world.client(&["reviewer"], "oda");
        let mut narrow = delegation(&cal_id, "reviewer");
        let team = place.admin.ok("{ teams { id key } }", json!({})).await["teams"].clone();
        let other = team.as_array().unwrap().iter().find(|t| t["key"] == "other").unwrap()["id"].clone();
        narrow["input"]["teamId"] = other;
        org.mutate(CREATE_DELEGATION, narrow).await;
        siege.holds(&cal, Some(&person(&org).await), "FORBIDDEN", NO_ROLE).await;
        siege.relieved().await;
    }

    async fn nobody_delegates_for_another_or_what_they_do_not_hold(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        let before = state(world).await;
        let (amy, vic) = (person(&place.approver).await, person(&place.viewer).await);
        for who in [&place.admin, &place.manager, &place.viewer, &place.author, &place.approver] {
            assert_eq!(who.refused(CREATE_DELEGATION, delegation(&person(&place.reviewer).await, "reviewer")).await.code, "FORBIDDEN");
        }
        let own = place.approver.refused(CREATE_DELEGATION, delegation(&amy, "approver")).await;
        assert_eq!((own.code.as_str(), own.path.join(".")), ("INVALID", "toId".to_owned()));
        // An admin may see a delegation and end it, not make it; others do not even see it.
        let id = delegate(&place.approver, &vic, "approver").await;
        let end = json!({"input": {"id": id}});
        assert_eq!(place.reviewer.refused(REVOKE_DELEGATION, end.clone()).await.code, "NOT_FOUND");
        place.admin.mutate(REVOKE_DELEGATION, end.clone()).await;
        assert_eq!(place.approver.refused(REVOKE_DELEGATION, end).await.code, "CONFLICT");
        assert_eq!(state(world).await[..6], before[..6]);
        siege.relieved().await;
    }

    async fn a_delegation_decides_nothing_before_its_period_after_it_or_without_its_giver(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        // Carl sees drafts anyway, so that he is told why.
        let carl = world.client(&["author@ops"], "carl");
        let (rob, carl_id) = (person(&place.reviewer).await, person(&carl).await);
        let mut later = delegation(&carl_id, "reviewer");
        later["input"]["startsAt"] = json!(from_now(3600));
        place.reviewer.mutate(CREATE_DELEGATION, later).await;
        siege.holds(&carl, Some(&rob), "FORBIDDEN", NO_ROLE).await;
        let mut short = delegation(&carl_id, "reviewer");
        short["input"]["endsAt"] = json!(from_now(2));
        place.reviewer.mutate(CREATE_DELEGATION, short).await;
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        siege.holds(&carl, Some(&rob), "FORBIDDEN", NO_ROLE).await;
        let id = delegate(&place.reviewer, &carl_id, "reviewer").await;
        place.reviewer.mutate(REVOKE_DELEGATION, json!({"input": {"id": id}})).await;
        siege.holds(&carl, Some(&rob), "FORBIDDEN", NO_ROLE).await;
        // Whoever sees the request by the delegation alone is not even told that there is one.
        let dora = world.client(&["viewer"], "dora");
        let id = delegate(&place.reviewer, &person(&dora).await, "reviewer").await;
        assert!(look(&dora, &siege.request).await);
        place.reviewer.mutate(REVOKE_DELEGATION, json!({"input": {"id": id}})).await;
        assert!(!look(&dora, &siege.request).await);
        siege.holds(&dora, Some(&rob), "NOT_FOUND", "").await;
        // A giver who loses the role has nothing to give any more.
        let gus = world.client(&["viewer"], "gus");
        let grant = json!({"input": {"personId": person(&gus).await, "role": "reviewer", "teamId": place.team}});
        let grant = place.admin.mutate(CREATE_GRANT, grant).await["grant"]["id"].clone();
        delegate(&gus, &carl_id, "reviewer").await;
        place.admin.mutate(REVOKE_GRANT, json!({"input": {"id": grant}})).await;
        siege.holds(&carl, Some(&person(&gus).await), "FORBIDDEN", NO_ROLE).await;
        siege.relieved().await;
    }

    async fn on_behalf_of_nobody_or_of_oneself(world: World) {
        let siege = Siege::lay(world).await;
        let rob = person(&siege.place.reviewer).await;
        siege.holds(&siege.place.reviewer, Some(&rob), "FORBIDDEN", NO_DELEGATION).await;
        let amy = person(&siege.place.approver).await;
        siege.holds(&siege.place.reviewer, Some(&amy), "FORBIDDEN", NO_DELEGATION).await;
        let before = state(&siege.world).await;
        let nobody = amy.split_once('_').map(|(kind, _)| format!("{kind}_{:0>32}", 7)).unwrap();
        let attempt = answer(&siege.request, &siege.made.hash, "APPROVE", Some(&nobody));
        assert_eq!(siege.place.reviewer.refused(DECIDE, attempt).await.code, "NOT_FOUND");
        assert_eq!(state(&siege.world).await, before);
        siege.relieved().await;
    }
}

/// Whether somebody sees a request.
async fn look(who: &Client, request: &str) -> bool {
    let seen = who.send("query($id: ID!) { approvalRequest(id: $id) { id } }", json!({"id": request})).await;
    seen.body["data"]["approvalRequest"].is_object()
}
