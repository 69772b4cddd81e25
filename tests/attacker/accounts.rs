//! By a second account of the same person: one with the same verified e-mail address, now or at any time before.

use super::*;
use crate::acts::{approve_for, delegate, delegation, require, stage};
use crate::story::{CREATE_DELEGATION, WITHDRAW, number, person};

/// An account whose token names this address, vouched for by the issuer or not.
fn account(world: &World, roles: &[&str], subject: &str, email: &str, verified: bool) -> Client {
    let client = world.client(roles, subject).with_claim("email", json!(email));
    client.with_claim("email_verified", json!(verified))
}

const ALL: &[&str] = &["author@ops", "reviewer@ops", "approver@ops"];

both! {
    async fn of_a_contributor(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        for (subject, email) in [("ann-2", "ann@example.org"), ("ann-3", "  ANN@Example.ORG ")] {
            siege.holds(&account(world, ALL, subject, email, true), None, "FORBIDDEN", CONTRIBUTED).await;
        }
        // By way of a third address that the second account and a fourth have in common.
        person(&account(world, ALL, "ann-2", "ann@private.example", true)).await;
        siege.holds(&account(world, ALL, "ann-4", "ann@private.example", true), None, "FORBIDDEN", CONTRIBUTED).await;
        // Another address later makes nobody somebody else: neither of the second account nor of the first.
        siege.holds(&account(world, ALL, "ann-2", "new@example.org", true), None, "FORBIDDEN", CONTRIBUTED).await;
        siege.holds(&account(world, ALL, "ann-2", "new@example.org", false), None, "FORBIDDEN", CONTRIBUTED).await;
        person(&account(world, &["author@ops"], "ann", "elsewhere@example.org", true)).await;
        siege.holds(&account(world, ALL, "ann-3", "third@example.org", true), None, "FORBIDDEN", CONTRIBUTED).await;
        // A delegation to a second account, and from it.
        let second = account(world, ALL, "ann-3", "third@example.org", true);
        let (rob, id, dora) = (person(&place.reviewer).await, person(&second).await, world.client(&["viewer"], "dora"));
        delegate(&place.reviewer, &id, "reviewer").await;
        siege.holds(&second, Some(&rob), "FORBIDDEN", CONTRIBUTED).await;
        delegate(&second, &person(&dora).await, "reviewer").await;
        siege.holds(&dora, Some(&id), "FORBIDDEN", CONTRIBUTED).await;
        siege.relieved().await;
    }

    async fn an_address_that_nobody_vouched_for_links_nobody(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        // Mallory writes Amy's and Rob's address into a profile to keep them from deciding.
        person(&account(world, &["author@ops"], "ann", "amy@example.org", false)).await;
        person(&account(world, &["author@ops"], "ann", "rob@example.org", false)).await;
        let none = world.client(&["author@ops"], "ann").with_claim("email", Value::Null);
        person(&none.with_claim("email_verified", json!(true))).await;
        // And somebody who has the author's address unverified is somebody else.
        let other = account(world, &["reviewer@ops"], "rex", "ann@example.org", false);
        siege.approve(&other).await;
        let done = siege.approve(&place.approver).await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
    }

    async fn of_a_decider_a_delegate_and_a_delegator(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 3)], false).await;
        for name in ["ria", "rex", "ray"] {
            person(&world.client(&["reviewer@ops"], name)).await;
        }
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let siege = Siege { world, place, made, request };
        let (world, place) = (&siege.world, &siege.place);
        siege.approve(&place.reviewer).await;
        let second = account(world, &["reviewer@ops"], "rob-2", "rob@example.org", true);
        siege.holds(&second, None, "FORBIDDEN", ONCE).await;
        // Dora for Ria: no second account of either is heard.
        let (ria, dora) = (world.client(&["reviewer@ops"], "ria"), world.client(&["viewer"], "dora"));
        let (ria_id, dora_id) = (person(&ria).await, person(&dora).await);
        delegate(&ria, &dora_id, "reviewer").await;
        approve_for(&dora, &siege.request, &siege.made.hash, &ria_id).await;
        for email in ["ria@example.org", "dora@example.org"] {
            let subject = format!("second of {email}");
            siege.holds(&account(world, &["reviewer@ops"], &subject, email, true), None, "FORBIDDEN", ONCE).await;
        }
        let rex = world.client(&["reviewer@ops"], "rex");
        let second = account(world, &["viewer"], "dora-2", "dora@example.org", true);
        delegate(&rex, &person(&second).await, "reviewer").await;
        siege.holds(&second, Some(&person(&rex).await), "FORBIDDEN", ONCE).await;
        let done = siege.approve(&rex).await;
        assert_eq!(done["version"]["state"], "PUBLISHED", "three people were heard: {done}");
        sound(world).await;
    }

    async fn nobody_delegates_to_their_own_second_account(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        let second = account(world, &["viewer"], "rob-2", "rob@example.org", true);
        let refusal = place.reviewer.refused(CREATE_DELEGATION, delegation(&person(&second).await, "reviewer")).await;
        assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "toId".to_owned()));
        // One that turns out to be theirs only later decides nothing in their place either.
        let third = account(world, &["viewer"], "rob-3", "someone@example.org", true);
        delegate(&place.reviewer, &person(&third).await, "reviewer").await;
        let third = account(world, &["viewer"], "rob-3", "rob@example.org", true);
        siege.holds(&third, Some(&person(&place.reviewer).await), "FORBIDDEN", "own behalf").await;
        let inbox = third.ok("{ me { pendingDecisions { totalCount } } }", json!({})).await;
        assert_eq!(inbox["me"]["pendingDecisions"]["totalCount"], 0);
        siege.relieved().await;
    }

    async fn two_accounts_fill_no_policy_that_asks_for_two_people(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 2)], false).await;
        person(&account(&world, &["reviewer@ops"], "rob-2", "rob@example.org", true)).await;
        person(&account(&world, &["reviewer@ops"], "ann-2", "ann@example.org", true)).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let before = state(&world).await;
        let input = json!({"input": {"id": made.version, "expectedRevision": 1}});
        let refusal = place.author.refused(crate::story::SUBMIT, input.clone()).await;
        assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "policy.stages.0".to_owned()));
        assert_eq!(state(&world).await, before);
        person(&world.client(&["reviewer@ops"], "rex")).await;
        place.author.mutate(crate::story::SUBMIT, input).await;
    }

    async fn that_turns_out_to_be_one_after_both_decided(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 3)], false).await;
        for name in ["ria", "rex", "ray"] {
            person(&world.client(&["reviewer@ops"], name)).await;
        }
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let siege = Siege { world, place, made, request };
        let world = &siege.world;
        siege.approve(&siege.place.reviewer).await;
        siege.approve(&account(world, &["reviewer@ops"], "ria", "ria@example.org", true)).await;
        person(&account(world, &["reviewer@ops"], "ria", "rob@example.org", true)).await;
        let third = siege.approve(&world.client(&["reviewer@ops"], "rex")).await;
        assert_eq!(third["version"]["state"], "IN_REVIEW", "two people, by three accounts: {third}");
        let last = siege.approve(&world.client(&["reviewer@ops"], "ray")).await;
        assert_eq!(last["version"]["state"], "PUBLISHED");
    }
    async fn that_turns_out_to_be_a_contributors_after_its_stage_closed(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        let second = account(world, &["reviewer@ops"], "ann-2", "ann@private.example", true);
        siege.approve(&second).await;
        person(&account(world, &["reviewer@ops"], "ann-2", "ann@example.org", true)).await;
        let approve = answer(&siege.request, &siege.made.hash, "APPROVE", None);
        siege.repelled(&place.approver, approve, "CONFLICT", "the stage 'Review' has come to lack approvals").await;
        // It takes a passage of its own.
        place.author.mutate(WITHDRAW, json!({"input": {"requestId": siege.request}})).await;
        let revision = place.author.ok("query($id: ID!) { version(id: $id) { revision } }", json!({"id": siege.made.version})).await;
        let made = Draft { revision: number(&revision["version"]["revision"]), ..siege.made.clone() };
        let request = submit(&place.author, &made).await;
        Siege { request, made, world: siege.world, place: siege.place }.relieved().await;
    }
}
