//! The two real corpora of runbooks.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{audited, data, found, import, keys, sops};
use crate::support::{World, both};

/// What somebody types at night, and the runbook that they need.
const SYMPTOMS: [(&str, &str); 14] = [
    ("etcd no leader", "etcdnoleader"),
    ("etcd members down", "etcdmembersdown"),
    ("pod crash looping", "kubepodcrashlooping"),
    ("pod not ready", "kubepodnotready"),
    ("filesystem almost out of space", "nodefilesystemalmostoutofspace"),
    ("node clock not synchronising", "nodeclocknotsynchronising"),
    ("kubelet down", "kubeletdown"),
    ("persistent volume filling up", "kubepersistentvolumefillingup"),
    ("image registry storage full", "imageregistrystoragefull"),
    ("api server error budget burn", "kubeapierrorbudgetburn"),
    ("raid degraded", "noderaiddegraded"),
    ("coredns errors", "corednserrorshigh"),
    ("alertmanager failed to send alerts", "alertmanagerfailedtosendalerts"),
    ("image registry read only", "imageregistrystoragereadonly"),
];

/// The files under a folder but for those that name owners, by their relative paths.
fn files(root: &Path, folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(root, &path));
        } else if entry.file_name() != "OWNERS" {
            all.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
    all
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file must be a procedure or be named with a reason; answers how many procedures there are.
fn accounted(folder: &Path, report: &Value) -> usize {
    let found = usize::try_from(report["found"].as_u64().unwrap()).unwrap();
    let files = files(folder, folder);
    let skipped = report["skipped"].as_array().unwrap();
    assert!(skipped.iter().all(|remark| !remark["reason"].as_str().unwrap().is_empty()));
    let named = files.iter().filter(|file| skipped.iter().any(|remark| remark["path"] == json!(file))).count();
    assert_eq!(found + named, files.len(), "every file is taken or named: {skipped:?}");
    assert_eq!(report["failed"], json!([]));
    found
}

async fn count(world: &World, sql: &str) -> i64 {
    world.query_i64(&format!("SELECT COUNT(*) FROM {sql}")).await
}

both! {
    async fn both_corpora_from_files_to_what_is_found_at_night(world: World) {
        let (Some(openshift), Some(prometheus)) = (data("runbooks/openshift"), data("runbooks/prometheus-operator")) else { return };
        let admin = world.client(&["admin"], "root");
        let mut total = 0;
        for folder in [&openshift, &prometheus] {
            let report = import(&world, "runbooks", folder, &[]).await;
            let found = accounted(folder, &report);
            assert_eq!((&report["created"], &report["published"]), (&json!(found), &json!(0)));
            total += found;
            let entries = audited(&world).await;
            let again = import(&world, "runbooks", folder, &[]).await;
            assert_eq!(json!([again["created"], again["updated"], again["unchanged"]]), json!([0, 0, found]));
            assert_eq!(audited(&world).await, entries, "a second import writes nothing");
        }
        assert!(total > 350, "{total}");
        let total = i64::try_from(total).unwrap();
        assert_eq!(count(&world, "sop WHERE state = 'DRAFT'").await, total);
        assert_eq!(count(&world, "version").await, total);
        let drafts = sops(&admin).await;
        assert!(drafts.iter().all(|sop| !keys(&sop["openVersion"]["content"]).is_empty()), "each has a step");

        // Those with OWNERS are published by them, the others wait for people.
        let report = import(&world, "runbooks", &openshift, &["--publish"]).await;
        let published = report["published"].as_i64().unwrap();
        let left = report["leftAsDraft"].as_array().unwrap();
        assert!(published > 200, "{published}");
        assert_eq!(published + i64::try_from(left.len()).unwrap(), report["found"].as_i64().unwrap());
        assert!(left.iter().all(|remark| !remark["reason"].as_str().unwrap().is_empty()), "{left:?}");
        let report = import(&world, "runbooks", &prometheus, &["--publish"]).await;
        assert_eq!(report["published"], 0, "nobody owns these");
        assert_eq!(report["leftAsDraft"].as_array().unwrap().len(), usize::try_from(report["found"].as_u64().unwrap()).unwrap());
        for (role, name) in [("reviewer", "rita"), ("approver", "abel")] {
            world.client(&[role], name).ok("{ me { source } }", json!({})).await;
        }
        for folder in [&openshift, &prometheus] {
            import(&world, "runbooks", folder, &["--publish"]).await;
        }
        assert_eq!(count(&world, "sop WHERE state = 'PUBLISHED'").await, total, "with them nothing is left");
        assert_eq!(count(&world, "approval_decision WHERE via = 'IMPORT'").await, 2 * total);
        assert_eq!(count(&world, "approval_decision").await, 2 * total);
        let own = "approval_decision d JOIN approval_request r ON r.id = d.request_id JOIN version_contributor c \
            ON c.version_id = r.version_id AND c.person_id = d.person_id";
        assert_eq!(count(&world, own).await, 0, "nobody decides on their own work");
        let verified = world.command(&["audit", "verify"]).await;
        assert!(verified.status.success(), "{verified:?}");

        let viewer = world.client(&["viewer"], "vic");
        let mut missed = Vec::new();
        for (symptom, wanted) in SYMPTOMS {
            let titles = found(&viewer, symptom).await;
            let plain = |title: &String| title.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
            if !titles.iter().any(|title| plain(title).contains(wanted)) {
                missed.push(format!("{symptom}: {titles:?}"));
            }
        }
        assert!(missed.is_empty(), "{missed:#?}");
    }

    async fn one_changed_file_of_a_corpus_is_exactly_one_new_draft(world: World) {
        let Some(openshift) = data("runbooks/openshift") else { return };
        let folder = tempfile::tempdir().unwrap();
        copy(&openshift, folder.path());
        let published = import(&world, "runbooks", folder.path(), &["--publish"]).await["published"].clone();
        let file = folder.path().join("alerts/cluster-monitoring-operator/NodeClockNotSynchronising.md");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen("start it:", "start it at once:", 1)).unwrap();
        let (versions, entries) = (count(&world, "version").await, audited(&world).await);
        let report = import(&world, "runbooks", folder.path(), &[]).await;
        assert_eq!(json!([report["created"], report["updated"], report["published"]]), json!([0, 1, 0]), "{report}");
        assert_eq!(report["unchanged"].as_i64().unwrap() + 1, report["found"].as_i64().unwrap());
        assert_eq!((count(&world, "version").await, audited(&world).await), (versions + 1, entries + 1));
        assert_eq!(count(&world, "version WHERE state = 'PUBLISHED'").await, published.as_i64().unwrap());
        let all = sops(&world.client(&["admin"], "root")).await;
        let changed: Vec<&Value> = all.iter().filter(|sop| sop["state"] == "PUBLISHED" && !sop["openVersion"].is_null()).collect();
        assert_eq!(changed.len(), 1);
        let (old, new) = (&changed[0]["publishedVersion"]["content"], &changed[0]["openVersion"]["content"]);
        assert_eq!(keys(old), keys(new), "steps keep their keys");
        let instructions = |content: &Value| content["steps"].as_array().unwrap().iter().map(|s| s["instruction"].clone()).collect::<Vec<_>>();
        assert_ne!(instructions(old), instructions(new));
    }
}
