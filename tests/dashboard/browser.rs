//! The pages in a real browser: on a desk and on a phone, in the light and in the dark, by keys and for readers. Pictures
//! of them are kept in the target folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::insight::{SINCE, decided, shown};
use crate::cli::Running;
use crate::story::place;
use crate::support::{Backend, Chromium, npm, run};

const DESK: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (360, 800);

/// Everything on the page whose colours are too close to what is behind them: texts under 4.5 to 1 (3 to 1 where they are
/// large), lines of charts under 3 to 1.
const FAINT: &str = include_str!("contrast.js");

/// What would be wrong for those who do not see the page: fields and pictures without a name, headings that skip a level,
/// names of elements that are not unique, tables without a caption.
const UNTOLD: &str = include_str!("structure.js");

/// The rules of axe-core, as far as a program can tell whether everyone can use a page; `None` means that npm is not there
/// and that this was said.
async fn axe() -> Option<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/axe");
    match npm::install(&source).await {
        Ok(folder) => {
            let rules = std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js"));
            Some(rules.expect("the package is whole"))
        }
        Err(why) => {
            let required = std::env::var("SOPWITH_TEST_REQUIRE_OIDC").is_ok_and(|value| value == "1");
            assert!(!required, "SOPWITH_TEST_REQUIRE_OIDC=1, which needs npm, but: {why}");
            std::io::stderr().write_all(format!("SKIPPED with axe-core: {why}\n").as_bytes()).expect("stderr is open");
            None
        }
    }
}

/// What they object to: each rule that is broken, with the first element that breaks it.
const OBJECTIONS: &str = "axe.run(document, {resultTypes: ['violations']}).then(found => \
    found.violations.map(rule => `${rule.id}: ${rule.help}: ${rule.nodes[0].html.slice(0, 200)}`))";

/// Where the pictures are kept.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

/// A browser that is signed in to a service by the form.
struct Desk {
    browser: Chromium,
    axe: Option<String>,
    url: String,
    /// What runs for it alone.
    _demo: Option<(Running, tempfile::TempDir)>,
}

impl Desk {
    /// At a demo of its own.
    async fn open() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let demo = Running::start(folder.path(), &["demo", "--port", "0", "--json", "--database", "demo.db"], &[]);
        let first = |of: &Value| of.as_str().unwrap().to_owned();
        let (url, token) = (first(&demo.first["url"]), first(&demo.first["tokens"]["manager"]));
        Some(Self { _demo: Some((demo, folder)), ..Self::at(url, &token).await? })
    }

    /// At the service of this address, with a token.
    async fn at(url: String, token: &str) -> Option<Self> {
        let mut browser = Chromium::start().await?;
        browser.screen(DESK, false).await;
        let mut desk = Self { browser, axe: axe().await, url, _demo: None };
        desk.browser.open(&desk.url("/dashboard?days=30")).await;
        assert_eq!(desk.browser.evaluate("document.querySelector('h1').textContent").await, "Sign in");
        desk.calm("/dashboard?days=30", &["401"]);
        let typed = format!("document.querySelector('#token').value = {}", json!(token));
        desk.browser.evaluate(&typed).await;
        desk.browser.follow("document.querySelector('.sign-in button').click()").await;
        assert_eq!(desk.browser.evaluate("location.pathname + location.search").await, "/dashboard?days=30");
        assert_eq!(desk.browser.evaluate("document.cookie").await, "", "no script could read it");
        Some(desk)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Nothing was complained of but what is excused, and nothing was asked of anyone else.
    fn calm(&mut self, path: &str, excused: &[&str]) {
        let url = self.url("");
        for event in self.browser.told() {
            let told = event["params"].to_string();
            match event["method"].as_str().unwrap_or_default() {
                // What is verbose is advice to those who build pages.
                "Log.entryAdded" if event["params"]["entry"]["level"] == "verbose" => {}
                "Log.entryAdded" | "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" => {
                    assert!(excused.iter().any(|excuse| told.contains(excuse)), "{path}: {told}");
                }
                "Network.requestWillBeSent" => {
                    let asked = event["params"]["request"]["url"].as_str().unwrap();
                    assert!(asked.starts_with(&url) || asked.starts_with("data:"), "{path} asks {asked}");
                }
                _ => {}
            }
        }
    }

    async fn see(&mut self, path: &str, name: &str) {
        let address = self.url(path);
        for (screen, size) in [("desk", DESK), ("phone", PHONE)] {
            for (scheme, dark) in [("light", false), ("dark", true)] {
                self.browser.screen(size, dark).await;
                self.browser.open(&address).await;
                let width = "[document.documentElement.scrollWidth, document.documentElement.clientWidth, innerWidth]";
                let width = self.browser.evaluate(width).await;
                assert!(width[0].as_u64() <= width[1].as_u64(), "{path} scrolls sideways on a {screen}: {width}");
                assert_eq!(width[2], size.0, "{path} is as wide as the {screen}");
                // All there is, unfolded too.
                self.browser.picture(&pictures().join(format!("{name}-{screen}-{scheme}.png"))).await;
                self.browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)").await;
                let wide = self.browser.evaluate("document.documentElement.scrollWidth").await;
                assert!(
                    wide.as_u64() <= Some(u64::from(size.0)),
                    "{path} scrolls sideways on a {screen} when unfolded"
                );
                for (what, script) in [("faint", FAINT), ("untold", UNTOLD)] {
                    let found = self.browser.evaluate(script).await;
                    assert_eq!(found, json!([]), "{what} at {path} on a {screen} in the {scheme}");
                }
                if let Some(axe) = self.axe.clone() {
                    self.browser.evaluate(&format!("{axe}; 0")).await;
                    let objections = self.browser.evaluate(OBJECTIONS).await;
                    assert_eq!(objections, json!([]), "{path} on a {screen} in the {scheme}");
                }
                self.calm(path, &[]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_fit_every_screen_and_are_legible_by_day_and_night() {
    let Some(mut desk) = Desk::open().await else { return };
    for (path, name) in [
        ("/dashboard", "overview"),
        ("/dashboard/sops/SD-0001", "sop"),
        ("/dashboard?from=2020-01-01&to=2020-01-31", "nothing"),
        ("/dashboard/sign-in", "sign-in"),
    ] {
        desk.see(path, name).await;
    }
    // What went wrong is a page as well, and the browser notes the status.
    desk.browser.screen(PHONE, false).await;
    let missing = desk.url("/dashboard/sops/SD-9999");
    desk.browser.open(&missing).await;
    assert_eq!(desk.browser.evaluate("document.querySelector('h1').textContent").await, "Not found");
    desk.browser.picture(&pictures().join("missing-phone-light.png")).await;
    desk.calm("a page that is not there", &["404"]);

    // What is looked for would be found.
    let (overview, foreign) =
        (desk.url("/dashboard"), "document.body.append(Object.assign(new Image(), {src: '//a.example/'}))");
    desk.browser.open(&overview).await;
    desk.browser.told();
    let spoilt = format!(
        "document.querySelector('.lead').style.color = '#aaa'; document.querySelector('h2').remove();
        document.querySelector('.tiles').style.width = '500px'; {foreign}"
    );
    desk.browser.evaluate(&spoilt).await;
    assert!(desk.browser.evaluate("document.documentElement.scrollWidth").await.as_u64() > Some(u64::from(PHONE.0)));
    for script in [FAINT, UNTOLD] {
        assert_ne!(desk.browser.evaluate(script).await, json!([]));
    }
    if let Some(axe) = desk.axe.clone() {
        desk.browser.evaluate(&format!("{axe}; 0")).await;
        assert!(desk.browser.evaluate(OBJECTIONS).await.to_string().contains("color-contrast"));
    }
    let refused =
        |event: &Value| event["method"] == "Log.entryAdded" && event.to_string().contains("Content Security Policy");
    assert!(desk.browser.told().iter().any(refused), "the picture is refused, and that is told");
}

/// The demo has too few runs for anything to be found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_fits_and_is_legible_too() {
    run(Backend::Sqlite, |world| async move {
        let place = place(&world).await;
        let measured = shown(&world, &place, "restore", SINCE, 10).await;
        decided(
            &measured,
            "The console has moved to the admin portal, and half of the agents look for it where it was.",
        )
        .await;
        let url = world.server.base_url().to_owned();
        let Some(mut desk) = Desk::at(url, &place.manager.token).await else { return };
        desk.see(&format!("/dashboard/sops/{}", measured.draft.code), "found").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_work_by_keys_and_are_told_to_readers() {
    let Some(mut desk) = Desk::open().await else { return };
    let (url, path) = (desk.url("/dashboard"), "/dashboard");
    desk.browser.open(&url).await;
    desk.browser.press("Tab").await;
    let focused = "document.activeElement.textContent";
    assert_eq!(desk.browser.evaluate(focused).await, "Skip to the content");
    let seen = "(() => { const box = document.activeElement.getBoundingClientRect(); return box.left >= 0 && box.top >= 0 })()";
    assert_eq!(desk.browser.evaluate(seen).await, true, "what has the focus is seen");
    desk.browser.press("Enter").await;
    desk.browser.press("Tab").await;
    assert_eq!(desk.browser.evaluate(focused).await, "7 days", "it skips to the content");

    // What a reader is told: every picture with its name and a description, and the landmarks.
    let tree = desk.browser.call("Accessibility.getFullAXTree", json!({})).await;
    let nodes: Vec<&Value> = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] != true).collect();
    let of = |roles: &[&str]| -> Vec<String> {
        let fits = |node: &&&Value| roles.contains(&node["role"]["value"].as_str().unwrap_or_default());
        nodes.iter().filter(fits).map(|node| node["name"]["value"].as_str().unwrap_or_default().to_owned()).collect()
    };
    for chart in ["Adoption", "Completion time", "Error rate", "Violations"] {
        let told = of(&["img", "image"]);
        assert_eq!(
            told.iter().filter(|name| name.starts_with(chart) && name.contains("first ")).count(),
            1,
            "{told:?}"
        );
    }
    assert_eq!((of(&["banner"]).len(), of(&["main"]).len()), (1, 1));
    let navigation = of(&["navigation"]);
    assert!(["Pages", "Time", "Order"].iter().all(|name| navigation.contains(&(*name).to_owned())), "{navigation:?}");
    assert_eq!(of(&["table"]).len(), 1, "the others are folded away");
    assert!(of(&["columnheader"]).contains(&"Runs".to_owned()) && of(&["rowheader"]).len() >= 5);

    // On a phone the rows become cards, and stay a table to readers.
    desk.browser.screen(PHONE, false).await;
    desk.browser.open(&url).await;
    let tree = desk.browser.call("Accessibility.getFullAXTree", json!({})).await.to_string();
    for role in ["table", "rowheader", "columnheader", "cell"] {
        assert!(tree.contains(&format!("\"role\":{{\"type\":\"role\",\"value\":\"{role}\"}}")), "no {role} on a phone");
    }
    assert_eq!(
        desk.browser.evaluate("getComputedStyle(document.querySelector('.parts tbody tr')).display").await,
        "grid"
    );

    // Numbers unfold by a key, a filter leads on, and so does an SOP.
    desk.browser.screen(DESK, false).await;
    desk.browser.open(&url).await;
    desk.browser.evaluate("document.querySelector('#adoption summary').focus()").await;
    desk.browser.press("Enter").await;
    let rows =
        "document.querySelector('#adoption details').open && document.querySelectorAll('#adoption tbody tr').length";
    assert!(desk.browser.evaluate(rows).await.as_u64() >= Some(13));
    let chosen = "document.querySelector('#sop').value = 'SD-0001'; document.querySelector('.filter button').click()";
    desk.browser.follow(chosen).await;
    assert_eq!(desk.browser.evaluate("location.pathname").await, "/dashboard/sops/SD-0001");
    let marks = "[...document.querySelectorAll('#adoption .wide text.version')].map(mark => mark.textContent)";
    assert_eq!(desk.browser.evaluate(marks).await, json!(["v 1.0", "v 2.0"]));
    desk.calm(path, &[]);

    desk.browser.follow("document.querySelector('.me button').click()").await;
    assert_eq!(desk.browser.evaluate("location.pathname").await, "/dashboard/sign-in");
    desk.browser.open(&url).await;
    assert_eq!(desk.browser.evaluate("document.querySelector('h1').textContent").await, "Sign in");
    desk.calm(path, &["401"]);
}
