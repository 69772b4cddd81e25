//! Records of procedures whose authors mean ill.

use serde_json::{Value, json};

use super::{checked, page, record, simple};
use crate::story::{decide, place, text};
use crate::support::{World, both};

const ATTACK: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;</style></title><!--";

/// A procedure with the attack in every field that takes it.
fn hostile() -> Value {
    let also = |before: &str| format!("{before} {ATTACK}");
    json!({
        "title": also("title"), "objective": also("objective"), "scope": also("scope"), "outOfScope": also("out"),
        "audience": [also("audience")], "prerequisites": [also("prerequisite")],
        "references": [{"standard": also("standard"), "clause": also("clause"), "url": also("javascript:alert(1)")},
            {"standard": "other", "url": "https://ok.example/\"><script>"}],
        "sections": [{"key": "s", "heading": also("heading"), "body": format!("# {ATTACK}\n\n{ATTACK}\n\n\
            [l](javascript:alert(1)) ![i](data:text/html,x) <a href=\"javascript:alert(1)\">x</a>\n\n<div onclick=alert(1)>\n\n\
            ```\"><script>\n{ATTACK}\n```\n\n| a |\n|:-:|\n| {ATTACK} |\n")}],
        "steps": [{
            "key": "one", "section": "s", "instruction": also("instruction"), "detail": also("detail"), "role": also("role"),
            "tools": [also("tool")], "inputs": [also("input")], "expectedOutcome": also("outcome"),
            "checkpoint": also("checkpoint"), "approval": also("approval"), "teams": ["ops"],
            "codeBlocks": [{"language": also("language"), "text": also("text")}],
            "failures": [{"symptom": also("symptom"), "remedy": also("remedy")}],
            "visualAids": [{"title": also("aid"), "url": also("vbscript:x")}],
            "branches": [{"condition": also("condition"), "goTo": ""}],
        }],
        "changeLog": {"what": also("what"), "why": also("why")},
    })
}

both! {
    async fn nothing_that_anyone_wrote_is_obeyed(world: World) {
        let mut place = place(&world).await;
        place.author = place.author.with_claim("name", json!(format!("ann {ATTACK}")));
        place.reviewer = place.reviewer.with_claim("name", json!(format!("rob {ATTACK}")));
        let quoted = format!("stage {ATTACK}").replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "''");
        let stages = format!(r#"[{{"name":"{quoted}","role":"reviewer","minApprovals":1,"scope":"TEAM","meaning":"REVIEWED"}},{{"name":"Approval","role":"approver","minApprovals":1,"scope":"TEAM","meaning":"APPROVED"}}]"#);
        world.execute(&format!("UPDATE policy SET stages = '{stages}' WHERE kind = 'MATERIAL'")).await;
        let of = |column: &str| format!("'{column} {}'", ATTACK.replace('\'', "''"));
        world.execute(&format!("UPDATE team SET name = {}; UPDATE process SET name = {}", of("team"), of("process"))).await;
        let made = super::draft(&place, &place.author, &place.process, "x").await;
        let input = json!({"id": made.version, "expectedRevision": 1, "content": hostile()});
        let edited = place.author.mutate(crate::story::EDIT, json!({"input": input})).await["version"].clone();
        let made = crate::story::Draft { revision: 2, hash: text(&edited["contentHash"]), ..made };
        let request = super::submit(&place.author, &made).await;
        decide(&place.reviewer, &request, &made.hash, "APPROVE", &format!("comment {ATTACK}")).await;
        decide(&place.approver, &request, &made.hash, "APPROVE", "").await;

        let json = record(&world, &place.author, &made.version).await;
        let page = page(&world, &place.author, &made.version).await;
        let found = checked(&json, &page);
        let shown = found["text"].as_str().unwrap();
        for written in ["title", "objective", "scope", "out", "audience", "prerequisite", "standard", "clause", "heading",
            "instruction", "role", "tool", "input", "outcome", "checkpoint", "approval", "language", "text", "symptom",
            "remedy", "aid", "condition", "what", "why", "ann", "rob", "stage", "team", "process", "comment",
            "javascript:alert(1)", "vbscript:x"]
        {
            assert!(shown.contains(&format!("{written} {ATTACK}")), "{written} is not shown as it was written: {shown}");
        }
        assert!(shown.contains("javascript:alert(1)") && shown.contains("(data:text/html,x)"), "{shown}");
    }

    async fn what_is_long_or_strange_is_shown_whole(world: World) {
        let place = place(&world).await;
        let mut content = crate::story::content("Zurücksetzen 重置 \u{202e}gnp.exe");
        content["sections"] = json!([{"key": "deep", "heading": "", "body": "> ".repeat(5_000) + "\u{1F600} \u{2028}\u{7f} end"}]);
        content["steps"][0]["instruction"] = json!("x".repeat(20_000));
        content["steps"][0]["detail"] = json!("[".repeat(20_000));
        let made = simple(&place, content).await;
        let json = record(&world, &place.viewer, &made.version).await;
        let found = checked(&json, &page(&world, &place.viewer, &made.version).await);
        assert!(found["text"].as_str().unwrap().contains(&"x".repeat(20_000)));
        assert_eq!(found["hash"], json!(made.hash));
    }
}
