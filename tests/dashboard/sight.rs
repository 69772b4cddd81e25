//! What somebody may not see is not there.

use serde_json::json;

use super::{Shown, Visitor};
use crate::story::{draft, process};
use crate::support::{Client, World, both};

async fn by(world: &World, who: &Client) -> Visitor {
    Visitor::signed_in(world, &who.token).await
}

both! {
    async fn figures_are_those_within_reach(world: World) {
        let shown = Shown::make(&world).await;
        let (code, place) = (&shown.sop.code, &shown.place);
        for (who, runs) in [(&place.manager, 10), (&world.client(&["manager"], "max"), 10), (&world.client(&["manager@dev"], "dee"), 0)] {
            let visitor = by(&world, who).await;
            for path in ["/dashboard.json".to_owned(), format!("/dashboard/sops/{code}.json")] {
                let told = visitor.numbers(&path).await;
                assert_eq!(told["total"]["runs"], runs, "{path}");
                let sum = |list: &str| told[list].as_array().unwrap().iter().map(|of| of["runs"].as_i64().unwrap()).sum::<i64>();
                assert_eq!((sum("overTime"), sum("sideBySide")), (runs, runs), "{path}");
            }
            let page = visitor.page("/dashboard").await;
            assert_eq!(page.contains("No runs to show"), runs == 0);
            assert_eq!(page.contains(&format!("href=\"/dashboard/sops/{code}\"")), runs > 0, "{page}");
        }
        // The owner reads those of their SOP, without any role for it.
        let owner = by(&world, &place.author).await;
        assert_eq!(owner.numbers("/dashboard.json").await["total"]["runs"], 10);
        for who in [&place.viewer, &place.reviewer] {
            let answer = by(&world, who).await.get("/dashboard.csv").await;
            assert_eq!(answer.status, 403, "{answer:?}");
            assert!(answer.body.as_str().unwrap().contains("No figures for you"));
        }
    }

    async fn what_is_hidden_answers_as_what_does_not_exist(world: World) {
        let shown = Shown::make(&world).await;
        let place = &shown.place;
        let other = process(&place.author, &json!(place.team), "secret-plan").await;
        let hidden = draft(place, &place.author, &other, "A plan that nobody knows of").await;
        let outside = by(&world, &world.client(&["manager@dev"], "dee")).await;
        let answers = [
            outside.get(&format!("/dashboard/sops/{}", hidden.code)).await,
            outside.get("/dashboard/sops/OPS-9999").await,
        ];
        assert_eq!(answers[0].status, 404);
        assert_eq!(answers[0].body, answers[1].body);
        for path in ["/dashboard", "/dashboard.json", "/dashboard.csv"] {
            assert!(!outside.get(path).await.body.to_string().contains(&hidden.code), "{path}");
        }
        // Whoever sees the draft sees its page, which says what is missing.
        let page = by(&world, &place.manager).await.page(&format!("/dashboard/sops/{}", hidden.code)).await;
        assert!(page.contains("No version of this SOP has come into force yet"), "{page}");
        for path in ["/dashboard?team=nowhere", "/dashboard?process=nothing", "/dashboard/sops/ops-1", "/dashboard/else"] {
            assert_eq!(outside.get(path).await.status, 404, "{path}");
        }
    }
}
