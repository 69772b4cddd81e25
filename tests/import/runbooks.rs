//! A small folder of runbooks of our own, from drafts to what is found at night.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{audited, found, import, keys, sops};
use crate::support::{Client, World, both};

const LINK_DOWN: &str = "# UplinkFlapping

## Meaning

The uplink of a rack goes up and down several times a minute.

## Impact

Packets are lost while it is down.

## Mitigation

1. Look at the counters of the port:

    ```bash
    ethtool -S eth0
    ```

2. Move the cable to the spare port.

3. Report the broken port to the network team.
";
const DISK_FULL: &str = "# Backup volume is full

## Meaning

The nightly backup found no room.

## Mitigation

- Remove the oldest snapshots.
- Start the backup again.
";

/// A folder with a team that has owners, one that has none, and files that are no procedures.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("network/OWNERS", "reviewers:\n- nell\n- nick\napprovers:\n- nell\n- nora\n");
    put("network/UplinkFlapping.md", LINK_DOWN);
    put("storage/backup-volume-full.md", DISK_FULL);
    put("storage/picture.png", "not a text");
    put("empty.md", "");
    folder
}

fn paths(remarks: &Value) -> Vec<&str> {
    let remarks = remarks.as_array().unwrap();
    assert!(remarks.iter().all(|remark| !remark["reason"].as_str().unwrap().is_empty()), "{remarks:?}");
    remarks.iter().map(|remark| remark["path"].as_str().unwrap()).collect()
}

/// The SOP of a title.
async fn sop(who: &Client, title: &str) -> Value {
    let all = sops(who).await;
    all.iter().find(|sop| sop["title"] == title).unwrap_or_else(|| panic!("no {title} in {all:?}")).clone()
}

fn change(folder: &Path, path: &str, from: &str, to: &str) {
    let path = folder.join(path);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{} has no '{from}'", path.display());
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

both! {
    async fn every_file_is_a_draft_or_is_named(world: World) {
        let folder = folder();
        let admin = world.client(&["admin"], "root");
        let report = import(&world, "runbooks", folder.path(), &[]).await;
        assert_eq!(json!([report["found"], report["created"], report["published"]]), json!([2, 2, 0]), "{report}");
        assert_eq!(report["failed"], json!([]));
        let skipped = paths(&report["skipped"]);
        assert!(skipped.contains(&"empty.md") && skipped.contains(&"storage/picture.png"), "{report}");
        let all = sops(&admin).await;
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|sop| sop["state"] == "DRAFT" && sop["publishedVersion"].is_null()), "{all:?}");
        let made = sop(&admin, "UplinkFlapping").await;
        assert_eq!(made["team"]["key"], "network");
        let steps = made["openVersion"]["content"]["steps"].as_array().unwrap().clone();
        assert_eq!(steps.len(), 3, "{steps:?}");
        assert!(steps[1]["instruction"].as_str().unwrap().contains("Move the cable"), "{steps:?}");
        assert_eq!(found(&world.client(&["viewer"], "vic"), "uplink flapping").await, Vec::<String>::new(), "drafts are not found");

        let entries = audited(&world).await;
        let again = import(&world, "runbooks", folder.path(), &[]).await;
        assert_eq!(json!([again["created"], again["updated"], again["unchanged"], again["teamsCreated"], again["grantsCreated"]]), json!([0, 0, 2, 0, 0]));
        assert_eq!(audited(&world).await, entries, "a second import writes nothing");
        assert_eq!(sops(&admin).await, all);
    }

    async fn what_has_owners_is_published_by_them_and_the_rest_stays(world: World) {
        let folder = folder();
        let admin = world.client(&["admin"], "root");
        let report = import(&world, "runbooks", folder.path(), &["--publish"]).await;
        assert_eq!((&report["created"], &report["published"]), (&json!(2), &json!(1)), "{report}");
        assert_eq!(paths(&report["leftAsDraft"]), ["storage/backup-volume-full.md"]);
        let made = sop(&admin, "UplinkFlapping").await;
        assert_eq!((&made["state"], &made["publishedVersion"]["label"]), (&json!("PUBLISHED"), &json!("1.0")));
        let version = &made["publishedVersion"];
        let decisions = version["approvalRequests"][0]["decisions"].as_array().unwrap();
        let who: Vec<&str> = decisions.iter().map(|decision| decision["person"]["name"].as_str().unwrap()).collect();
        assert!(decisions.iter().all(|decision| decision["via"] == "IMPORT" && decision["comment"].as_str().unwrap().contains("import")), "{decisions:?}");
        assert!(matches!(who[..], ["nell" | "nick", "nell" | "nora"]) && who[0] != who[1], "{who:?}");
        let contributors: Vec<&str> = version["contributors"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        assert!(!contributors.is_empty() && contributors.iter().all(|name| !who.contains(name)), "{contributors:?}");
        assert_eq!(sop(&admin, "Backup volume is full").await["state"], "DRAFT");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_decision WHERE via <> 'IMPORT'").await, 0);
        let viewer = world.client(&["viewer"], "vic");
        for text in ["uplink flapping", "port counters", "ethtool -S", "packets lost"] {
            assert_eq!(found(&viewer, text).await, ["UplinkFlapping"], "{text}");
        }
        let entries = audited(&world).await;
        let again = import(&world, "runbooks", folder.path(), &["--publish"]).await;
        assert_eq!((&again["published"], &again["unchanged"]), (&json!(0), &json!(2)));
        assert_eq!(audited(&world).await, entries, "what cannot be published is not tried in vain");
    }

    async fn a_changed_file_is_one_new_draft_with_the_same_steps(world: World) {
        let folder = folder();
        let admin = world.client(&["admin"], "root");
        import(&world, "runbooks", folder.path(), &["--publish"]).await;
        let before = sop(&admin, "UplinkFlapping").await;
        change(folder.path(), "network/UplinkFlapping.md", "Move the cable to the spare port.", "Move the cable to port 48, the spare one.");
        change(folder.path(), "network/UplinkFlapping.md", "3. Report", "3. Wait for ten minutes and look again.\n\n4. Report");
        let report = import(&world, "runbooks", folder.path(), &[]).await;
        assert_eq!(json!([report["created"], report["updated"], report["unchanged"]]), json!([0, 1, 1]), "{report}");
        let after = sop(&admin, "UplinkFlapping").await;
        assert_eq!((&after["state"], &after["openVersion"]["state"]), (&json!("PUBLISHED"), &json!("DRAFT")));
        assert_eq!(after["publishedVersion"], before["publishedVersion"], "what is in force stays until the next is");
        let (old, new) = (keys(&before["publishedVersion"]["content"]), keys(&after["openVersion"]["content"]));
        assert_eq!((old.len(), new.len()), (3, 4));
        assert_eq!(new[0], old[0], "unchanged");
        assert_eq!(new[1], old[1], "changed");
        assert_eq!(new[3], old[2], "moved: {old:?} {new:?}");
        assert!(!old.contains(&new[2]), "new");
        assert_ne!(after["openVersion"]["content"]["changeLog"]["what"], "");
        let again = import(&world, "runbooks", folder.path(), &[]).await;
        assert_eq!((&again["updated"], &again["unchanged"]), (&json!(0), &json!(2)));
        // Changed once more it goes into the same draft, and published it replaces what was in force.
        change(folder.path(), "network/UplinkFlapping.md", "ten minutes", "a quarter of an hour");
        let report = import(&world, "runbooks", folder.path(), &["--publish"]).await;
        assert_eq!((&report["updated"], &report["published"]), (&json!(1), &json!(1)), "{report}");
        let last = sop(&admin, "UplinkFlapping").await;
        assert_eq!((&last["publishedVersion"]["label"], &last["openVersion"]), (&json!("2.0"), &Value::Null));
        assert!(last["publishedVersion"].to_string().contains("a quarter of an hour"));
    }

    async fn a_folder_that_is_not_there_is_refused(world: World) {
        let output = world.command(&["import", "runbooks", "no-such-folder", "--json"]).await;
        assert!(!output.status.success() && output.stderr.contains("no-such-folder"), "{output:?}");
        assert_eq!(audited(&world).await, 0);
    }
}
