//! Signing in and out. A session is what the token is, no more and no longer.

use serde_json::json;

use super::{Shown, Visitor};
use crate::story::{CREATE_GRANT, CREATE_TOKEN, REVOKE_GRANT, REVOKE_TOKEN, person, text, token_terms};
use crate::support::{Response, World, both, respond};

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers.get(name).unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_str().unwrap()
}

both! {
    async fn a_token_opens_the_pages_until_one_signs_out(world: World) {
        let shown = Shown::make(&world).await;
        let mut visitor = Visitor::new(&world);
        let first = visitor.get("/dashboard?days=30").await;
        assert_eq!(first.status, 401);
        assert!(first.body.as_str().unwrap().contains(r#"<input type="hidden" name="to" value="/dashboard?days=30">"#), "{first:?}");

        let entered = visitor.sign_in(&shown.place.manager.token).await;
        assert_eq!((entered.status.as_u16(), header(&entered, "location")), (303, "/dashboard"));
        let set = header(&entered, "set-cookie").to_owned();
        assert!(set.contains("; HttpOnly; SameSite=Lax") && set.contains("; Path=/;") && !set.contains("Secure"), "{set}");
        assert_eq!(visitor.numbers("/dashboard.json").await["total"]["runs"], 10);
        for path in ["/dashboard", "/dashboard.csv", "/dashboard.json", "/dashboard/sign-in"] {
            let answer = visitor.get(path).await;
            assert_eq!((header(&answer, "cache-control"), header(&answer, "vary")), ("no-store", "Cookie"), "{path}");
            assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        }

        let kept = visitor.cookie.clone();
        assert_eq!(header(&visitor.sign_out().await, "location"), "/dashboard/sign-in");
        assert_eq!(visitor.cookie, None, "the browser is told to forget");
        visitor.cookie = kept;
        assert_eq!(visitor.get("/dashboard").await.status, 401, "and what it kept is good for nothing");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM session").await, 0);
        let told = "SELECT COUNT(*) FROM audit_entry WHERE action IN ('session.began', 'session.ended') AND actor_id IS NOT NULL";
        assert_eq!(world.query_i64(told).await, 2);
    }

    async fn only_the_hash_of_a_secret_is_stored_and_each_is_new(world: World) {
        let shown = Shown::make(&world).await;
        let mut visitor = Visitor::signed_in(&world, &shown.place.manager.token).await;
        let first = visitor.cookie.clone().unwrap();
        let secret = first.strip_prefix("sopwith-session=").unwrap().to_owned();
        let digest = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes()));
        assert_eq!(world.query_text("SELECT digest FROM session").await, digest);
        for stored in [&digest, "", "00"] {
            visitor.cookie = Some(format!("sopwith-session={stored}"));
            assert_eq!(visitor.get("/dashboard").await.status, 401, "{stored}");
        }
        // Nobody can choose a secret for somebody else: signing in takes another, and ends what was there.
        visitor.cookie = Some(first.clone());
        visitor.sign_in(&shown.place.admin.token).await;
        assert_ne!(visitor.cookie.as_ref(), Some(&first));
        visitor.cookie = Some(first);
        assert_eq!(visitor.get("/dashboard").await.status, 401);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM session").await, 1);
    }

    async fn what_the_api_refuses_does_not_sign_in(world: World) {
        let shown = Shown::make(&world).await;
        let mut visitor = Visitor::new(&world);
        let good = &shown.place.manager.token;
        let expired = shown.place.manager.clone().with_claim("exp", json!(crate::support::token::now() - 3600)).token;
        let elsewhere = shown.place.manager.clone().with_claim("aud", json!("another")).token;
        let forged = format!("{}AAAA", &good[..good.len() - 4]);
        for token in ["", "x", "sopwith_", expired.as_str(), &elsewhere, &forged] {
            let answer = visitor.sign_in(token).await;
            assert_eq!(answer.status, 401, "{token}: {answer:?}");
            let page = answer.body.as_str().unwrap();
            assert!(page.contains("Not signed in") && (token.len() < 3 || !page.contains(token)), "{page}");
            assert!(answer.headers.get("set-cookie").is_none() && visitor.cookie.is_none());
        }
        // What expired a moment ago is believed a little longer by the API, and begins nothing.
        let just = shown.place.manager.clone().with_claim("exp", json!(crate::support::token::now() - 2)).token;
        assert_eq!(visitor.sign_in(&just).await.status, 401);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM session").await, 0);
        let spaced = format!("  {good}\n");
        assert_eq!(visitor.sign_in(&spaced).await.status, 303, "what is pasted may have blanks around it");
    }

    async fn a_form_of_another_site_does_nothing(world: World) {
        let shown = Shown::make(&world).await;
        let own = world.server.base_url().to_owned();
        let (token, visitor) = (shown.place.manager.token.clone(), Visitor::signed_in(&world, &shown.place.manager.token).await);
        let form = [("token", token.as_str())];
        for headers in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", own.as_str()), ("sec-fetch-site", "cross-site")],
        ] {
            for path in ["/dashboard/sign-in", "/dashboard/sign-out"] {
                let answer = visitor.post(path, &form, headers).await;
                assert_eq!(answer.status, 403, "{path} {headers:?}: {answer:?}");
                assert!(answer.headers.get("set-cookie").is_none());
            }
        }
        assert_eq!(visitor.get("/dashboard").await.status, 200, "still signed in");
        let origin = ("origin", own.as_str());
        let json = visitor.post("/dashboard/sign-in", &form, &[origin, ("content-type", "application/json")]).await;
        assert_eq!(json.status, 415);
        let long = "x".repeat(30_000);
        assert_eq!(visitor.post("/dashboard/sign-in", &[("token", &long)], &[origin]).await.status, 413);
        assert_eq!(visitor.post("/dashboard", &[], &[origin]).await.status, 405);
        assert_eq!(visitor.get("/dashboard/sign-out").await.status, 405);
        // Nobody is sent elsewhere by a link to the form.
        for to in ["https://evil.example", "//evil.example", "/dashboard/../graphql"] {
            let answer = visitor.post("/dashboard/sign-in", &[("token", &token), ("to", to)], &[origin]).await;
            assert_eq!((answer.status.as_u16(), header(&answer, "location")), (303, "/dashboard"), "{to}");
        }
        let to = "/dashboard/sops/OPS-0001?days=7";
        let answer = visitor.post("/dashboard/sign-in", &[("token", &token), ("to", to)], &[origin]).await;
        assert_eq!(header(&answer, "location"), to);
    }

    async fn no_other_part_of_the_service_takes_the_cookie(world: World) {
        let shown = Shown::make(&world).await;
        let cookie = Visitor::signed_in(&world, &shown.place.admin.token).await.cookie.unwrap();
        let secret = cookie.split('=').nth(1).unwrap().to_owned();
        let raw = world.raw();
        let record = format!("/records/{}", shown.sop.version);
        for path in [record.as_str(), "/audit/export", "/metrics/domain"] {
            assert_eq!(respond(raw.http.get(raw.url(path)).header("cookie", &cookie)).await.status, 401, "{path}");
        }
        let query = json!({"query": "{ me { person { id } } }"});
        let asked = raw.http.post(raw.url("/graphql")).json(&query);
        assert_eq!(respond(asked.try_clone().unwrap().header("cookie", &cookie)).await.status, 401);
        assert_eq!(respond(asked.bearer_auth(&secret)).await.status, 401, "nor is it a token");
        let sent = raw.http.post(raw.url("/v1/executions?mode=LIVE")).header("content-type", "application/x-ndjson");
        assert_eq!(respond(sent.header("cookie", &cookie).body("{}\n")).await.status, 401);
    }

    async fn what_somebody_may_is_asked_at_each_page(world: World) {
        let shown = Shown::make(&world).await;
        let nobody = world.client(&["viewer"], "vic");
        let input = json!({"personId": person(&nobody).await, "role": "manager"});
        let grant = shown.place.admin.mutate(CREATE_GRANT, json!({"input": input})).await["grant"]["id"].clone();
        let visitor = Visitor::signed_in(&world, &nobody.token).await;
        assert_eq!(visitor.numbers("/dashboard.json").await["total"]["runs"], 10);
        shown.place.admin.mutate(REVOKE_GRANT, json!({"input": {"id": grant}})).await;
        let answer = visitor.get("/dashboard").await;
        assert_eq!(answer.status, 403, "{answer:?}");
        // A later token of the same person neither widens nor narrows a session, nor does a session undo what it told.
        let manager = Visitor::signed_in(&world, &shown.place.manager.token).await;
        let weaker = shown.place.manager.clone().with_claim("roles", json!(["viewer"]));
        person(&weaker).await;
        let before = world.query_i64("SELECT COUNT(*) FROM audit_entry").await;
        assert_eq!(manager.get("/dashboard").await.status, 200);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM audit_entry").await, before, "looking changes nothing");
    }

    async fn an_api_token_that_is_taken_away_ends_its_sessions(world: World) {
        let shown = Shown::make(&world).await;
        let input = token_terms("reports", &["FIGURES_READ"]);
        let made = shown.place.admin.mutate(CREATE_TOKEN, json!({"input": input})).await;
        let visitor = Visitor::signed_in(&world, &text(&made["secret"])).await;
        assert_eq!(visitor.numbers("/dashboard.json").await["total"]["runs"], 10);
        shown.place.admin.mutate(REVOKE_TOKEN, json!({"input": {"id": made["apiToken"]["id"]}})).await;
        assert_eq!(visitor.get("/dashboard").await.status, 401);
    }

    async fn a_session_ends_with_its_token_and_with_its_time(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_DASHBOARD__SESSION_MAX_SECONDS", "600")]).await;
        let shown = Shown::make(&world).await;
        let now = crate::support::token::now();
        let lasts = async |exp: u64| {
            let token = shown.place.manager.clone().with_claim("exp", json!(exp)).token;
            let mut visitor = Visitor::new(&world);
            let set = visitor.sign_in(&token).await.headers["set-cookie"].to_str().unwrap().to_owned();
            let age: i64 = set.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
            let stored = world.query_i64("SELECT MAX(expires_at) - MAX(created_at) FROM session").await / 1_000_000;
            assert!((age - stored).abs() <= 1, "{age} {stored}");
            world.execute("DELETE FROM session").await;
            age
        };
        assert!((590..=600).contains(&lasts(now + 3600).await));
        assert!((50..=60).contains(&lasts(now + 60).await));

        // One whose time is over is refused, and removed when somebody signs in.
        let short = shown.place.manager.clone().with_claim("exp", json!(crate::support::token::now() + 3)).token;
        let visitor = Visitor::signed_in(&world, &short).await;
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        assert_eq!(visitor.get("/dashboard").await.status, 401);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM session").await, 1);
        Visitor::signed_in(&world, &shown.place.manager.token).await;
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM session").await, 1);
        let stretched = "UPDATE session SET expires_at = expires_at + 1";
        assert!(world.try_execute(stretched).await.unwrap_err().contains("stays as it is"));
    }

    async fn over_https_the_cookie_is_for_https_and_this_host_alone(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_DASHBOARD__PUBLIC_ORIGIN", "https://sops.example.org")]).await;
        let shown = Shown::make(&world).await;
        let mut visitor = Visitor::new(&world);
        assert_eq!(visitor.sign_in(&shown.place.manager.token).await.status, 403, "it is not reached by that origin");
        let form = [("token", shown.place.manager.token.as_str())];
        let answer = visitor.post("/dashboard/sign-in", &form, &[("origin", "https://sops.example.org")]).await;
        let set = header(&answer, "set-cookie").to_owned();
        assert!(set.starts_with("__Host-sopwith-session=") && set.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{set}");
        visitor.keep(&answer);
        assert_eq!(visitor.get("/dashboard").await.status, 200);
        visitor.cookie = visitor.cookie.map(|pair| pair.replace("__Host-", ""));
        assert_eq!(visitor.get("/dashboard").await.status, 401, "another host could have set that one");
    }
}
