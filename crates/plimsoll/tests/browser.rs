//! The pages in a browser, of a server with real scans: that they load without a complaint, that nothing hostile runs, that
//! they change by themselves, that the keyboard is enough, in the dark and on a phone.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `chromium`; axe is run where `PLIMSOLL_SCHEMAS` has it.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::browser::Browser;
use support::images::{Image, Layout, base, fleet, python, ship};
use support::layer::Layer;
use support::scripted::{Deed, Scripted};
use support::serving::Serving;
use support::{World, second_tier};

mod support;

/// A name that would run where it is not taken for text.
const HOSTILE: &str = "<img src=x onerror=alert(1)><script>alert(1)<script>";

/// A server with an index, an image that fails, and one whose packages have hostile names.
struct Harbour {
    registry: Scripted,
    serving: Serving,
    /// Digest of an image that was scanned.
    image: String,
    /// The one with hostile packages.
    hostile: String,
    _world: World,
}

impl Harbour {
    fn new() -> Harbour {
        let (world, registry) = (World::with_database(), Scripted::start());
        let mut config = fs::read_to_string(world.path("config.toml")).unwrap_or_default();
        config += &format!("[registries.\"{}\"]\nplain_http = true\n[server]\n", registry.host);
        world.write("config.toml", config);
        let serving = Serving::ready(&world, &["--no-update"]);
        let (layout, index) = fleet();
        registry.push("team/fleet", &layout, &index, "1.0");
        let fleet = serving.submit(&format!("{}/team/fleet:1.0", registry.host));
        serving.until(fleet["id"].as_str().unwrap(), &["completed"]);
        let ship = push(&registry, "team/ship", &ship("amd64"));
        let image = scanned(&serving, &ship);
        let version = format!("1.0+{}", "9".repeat(10_000));
        let packages = Layer::new()
            .file("opt/a-1.0.dist-info/METADATA", python(HOSTILE, "1.0"))
            .file("opt/b-1.0.dist-info/METADATA", python("\u{202e}gnp.elih", "1.0"))
            .file("opt/c-1.0.dist-info/METADATA", python("long", &version));
        let layers = vec![("ADD base", base("amd64")), ("COPY <script>alert(1)</script>", packages)];
        let hostile = push(&registry, "team/hostile", &Image::new("amd64", layers));
        let hostile = scanned(&serving, &hostile);
        let absent = serving.submit(&format!("{}/team/none:1", registry.host));
        serving.until(absent["id"].as_str().unwrap(), &["failed"]);
        Harbour { registry, serving, image, hostile, _world: world }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.serving.url)
    }

    /// Every page, by the name that its screenshot has.
    fn pages(&self) -> Vec<(&'static str, String)> {
        let image = format!("/ui/images/{}", self.image);
        let repository = format!("/ui/repositories/{}/team/fleet", self.registry.host);
        vec![
            ("overview", "/".to_owned()),
            ("repositories", "/ui/repositories".to_owned()),
            ("tags", repository),
            ("report", image.clone()),
            ("report-filtered", format!("{image}?fixable=true")),
            ("packages", format!("{image}/packages")),
            ("layers", format!("{image}/layers")),
            ("documents", format!("{image}/documents")),
            ("compare", format!("{image}/compare")),
            ("compared", format!("{image}/compare?with={}", self.hostile)),
            ("search", "/ui/search?q=CVE-2026-0001".to_owned()),
            ("clearances", "/ui/clearances".to_owned()),
            ("jobs", "/ui/jobs".to_owned()),
            ("feeds", "/ui/feeds".to_owned()),
            ("sign-in", "/ui/sign-in".to_owned()),
            ("hostile", format!("/ui/images/{}", self.hostile)),
            ("hostile-packages", format!("/ui/images/{}/packages", self.hostile)),
            ("hostile-documents", format!("/ui/images/{}/documents", self.hostile)),
            ("docs", "/docs".to_owned()),
            ("hostile-layers", format!("/ui/images/{}/layers", self.hostile)),
        ]
    }
}

fn push(registry: &Scripted, name: &str, image: &Image) -> String {
    let mut layout = Layout::default();
    let top = layout.image(image);
    registry.push(name, &layout, &top, "1");
    format!("{}/{name}:1", registry.host)
}

/// Scans an image; its digest.
fn scanned(serving: &Serving, reference: &str) -> String {
    let submitted = serving.submit(reference);
    let done = serving.until(submitted["id"].as_str().unwrap(), &["completed"]);
    done["digest"].as_str().unwrap().to_owned()
}

/// Where axe is, if it was fetched.
fn axe() -> Option<String> {
    let folder = std::env::var_os("PLIMSOLL_SCHEMAS").map(PathBuf::from)?;
    fs::read_to_string(folder.join("axe.min.js")).ok()
}

#[test]
fn pages_load_without_a_complaint_and_fit_on_a_phone_and_in_the_dark() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let mut browser = Browser::start();
    let axe = axe();
    if axe.is_none() {
        println!("skipped: axe is not in PLIMSOLL_SCHEMAS");
    }
    let mut bad = Vec::new();
    for (name, path) in harbour.pages() {
        for (width, is_dark) in [(1280, false), (390, false), (1280, true), (390, true)] {
            browser.size(width, 900, is_dark);
            browser.open(&harbour.url(&path));
            let heading =
                browser.value("document.querySelector('h1') && document.querySelector('h1').innerText");
            let status = browser.value("performance.getEntriesByType('navigation')[0].responseStatus");
            if status != json!(200) || heading.as_str().is_none_or(str::is_empty) {
                bad.push(format!("{path}: {status} {heading}"));
            }
            bad.extend(browser.problems().iter().map(|problem| format!("{path}: {problem}")));
            let wide =
                browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            if wide.as_i64().is_none_or(|wide| wide > 0) {
                bad.push(format!("{path} at {width}: {wide} pixels stand out"));
            }
            // What was hostile has become text.
            if browser.value("document.querySelectorAll('main img, main script').length") != json!(0) {
                bad.push(format!("{path}: something hostile became an element"));
            }
            if let Some(axe) = &axe {
                browser.value(&format!("{axe}; 1"));
                let found = browser.value(
                    "axe.run().then((r) => r.violations.map((v) => v.id + ': ' + v.nodes[0].html + ' ' + v.nodes[0].failureSummary))",
                );
                let found = found.as_array().unwrap().iter();
                bad.extend(found.map(|one| format!("{path} at {width}, dark {is_dark}: {one}")));
            }
            let scheme = if is_dark { "dark" } else { "light" };
            browser.keep(&format!("{name}-{width}-{scheme}"));
        }
    }
    bad.dedup();
    assert!(bad.is_empty(), "{} problems:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn a_page_changes_by_itself_from_waiting_to_done() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let late = push(&harbour.registry, "team/late", &ship("arm64"));
    harbour.registry.script("team/late/manifests", Deed::Stall);
    let submitted = harbour.serving.submit(&late);
    let id = submitted["id"].as_str().unwrap();
    harbour.serving.until(id, &["fetching"]);
    let mut browser = Browser::start();
    browser.open(&harbour.url(&format!("/ui/images/{id}")));
    browser.value("window.isTheSamePage = true");
    assert_eq!(browser.value("document.body.innerText.includes('findings')"), json!(false));
    harbour.registry.behave();
    browser.until("document.getElementById('image').innerText.includes('findings')");
    assert_eq!(browser.value("window.isTheSamePage"), json!(true), "it was not loaded again");
    let told = browser.value("document.getElementById('image').innerText");
    assert!(told.as_str().unwrap().contains("Scanned"), "{told}");
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[test]
fn the_keyboard_is_enough() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let mut browser = Browser::start();
    browser.size(1280, 900, false);
    browser.open(&harbour.url(&format!("/ui/images/{}", harbour.image)));
    let wanted = browser.value("document.querySelectorAll('a[href], button, input, select, summary').length");
    let mut reached: Vec<Value> = Vec::new();
    // Each stop is marked, so that coming back to the first is seen.
    for _ in 0..wanted.as_u64().unwrap() + 20 {
        browser.press("Tab", 9);
        let stop = browser.value(
            "(() => { const at = document.activeElement; if (!at || at === document.body || at.dataset.reached) return null; \
             at.dataset.reached = 1; const style = getComputedStyle(at); \
             return {what: at.outerHTML.slice(0, 120), seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0}; })()",
        );
        if !stop.is_null() {
            reached.push(stop);
        }
    }
    let unseen: Vec<&Value> = reached.iter().filter(|stop| stop["seen"] != json!(true)).collect();
    assert!(unseen.is_empty(), "no outline where the focus is: {unseen:#?}");
    let first = reached.first().unwrap()["what"].as_str().unwrap();
    assert!(first.contains("skip"), "the first stop leads past the navigation: {first}");
    let missed = browser.value(
        "[...document.querySelectorAll('a[href], button, input, select, summary')].filter((e) => !e.dataset.reached && \
         e.checkVisibility()).map((e) => e.outerHTML.slice(0, 120))",
    );
    assert_eq!(missed, json!([]), "cannot be reached");
    // A row is opened and a view is chosen by keys alone.
    browser.value("document.querySelector('main details summary').focus()");
    browser.press("Enter", 13);
    browser.until("document.querySelector('main details').open");
}
