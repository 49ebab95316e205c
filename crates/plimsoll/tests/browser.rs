//! The pages in a browser, of a server with real scans: that they load without a complaint, that nothing hostile runs, that
//! they change by themselves, that the keyboard is enough, in the dark and on a phone.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `chromium`; axe is run where `PLIMSOLL_SCHEMAS` has it.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;

use plimsoll_net::Request;
use serde_json::{Value, json};
use support::browser::{Browser, axe};
use support::images::{Image, Layout, MANIFEST, base, fleet, python, ship};
use support::layer::Layer;
use support::scripted::{Deed, Scripted};
use support::serving::Serving;
use support::{World, feeds, second_tier};

mod support;

/// A name that would run where it is not taken for text.
const HOSTILE: &str = "<img src=x onerror=alert(1)><script>alert(1)<script>";

/// What would run, or be taken for a text of its own, in what a feed says.
const SCRIPT: &str = "<script>window.ran=1</script>";

/// OSV's records, of which one says what it should not.
fn hostile_records() -> Vec<Value> {
    let mut records = feeds::records();
    records[0]["summary"] = json!(format!("\u{202e}{SCRIPT}"));
    records[0]["details"] = json!("<img src=x onerror=window.ran=1> [click](javascript:window.ran=1)");
    records[0]["references"] = json!([
        {"type": "WEB", "url": "javascript:window.ran=1"},
        {"type": "WEB", "url": "data:text/html,<script>window.ran=1</script>"},
        {"type": "ADVISORY", "url": "https://advisories.example/\"onmouseover=\"window.ran=1"},
    ]);
    records
}

/// A server with an index, an image that fails, and one whose packages have hostile names.
struct Harbour {
    registry: Scripted,
    serving: Serving,
    /// Digest of an image that was scanned.
    image: String,
    /// The one with hostile packages.
    hostile: String,
    /// Digest of an index.
    index: String,
    /// Id of a scan that failed.
    failed: String,
    _world: World,
}

impl Harbour {
    fn new() -> Harbour {
        let (world, registry) = (World::new(), Scripted::start());
        feeds::write_all(&world);
        feeds::write_osv(&world, &hostile_records());
        world.plimsoll(&["feeds", "update", "alpine-secdb", "epss", "kev", "osv-pypi"]).expect(0);
        let mut config = fs::read_to_string(world.path("config.toml")).unwrap_or_default();
        config += &format!(
            "[registries.\"{}\"]\nplain_http = true\n[server]\nregistry_seconds_max = 15\n",
            registry.host
        );
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
            .file("opt/c-1.0.dist-info/METADATA", python("long", &version))
            .file("opt/d-1.5.dist-info/METADATA", python("barnacle", "1.5"));
        let layers = vec![("ADD base", base("amd64")), ("COPY <script>alert(1)</script>", packages)];
        let hostile = push(&registry, "team/hostile", &Image::new("amd64", layers));
        let hostile = scanned(&serving, &hostile);
        let absent = serving.submit(&format!("{}/team/none:1", registry.host));
        let failed = absent["id"].as_str().unwrap().to_owned();
        serving.until(&failed, &["failed"]);
        let index = index["digest"].as_str().unwrap().to_owned();
        Harbour { registry, serving, image, hostile, index, failed, _world: world }
    }

    /// Has the registry tell of a push, as registries do: then there is a tag, and a scan of what it leads to.
    fn tell(&self, repository: &str, digest: &str) {
        let host = &self.registry.host;
        let event = json!({
            "action": "push",
            "target": {
                "mediaType": MANIFEST, "digest": digest, "repository": repository, "tag": "1",
                "url": format!("http://{host}/v2/{repository}/manifests/{digest}"),
            },
            "request": {"host": host},
        });
        let body = json!({"events": [event]}).to_string();
        assert_eq!(self.serving.send(Request::post("/api/v1/hooks/distribution", body)).status, 202);
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
            ("search", "/ui/search?flaw=CVE-2030-0010".to_owned()),
            ("clearances", "/ui/clearances".to_owned()),
            ("jobs", "/ui/jobs".to_owned()),
            ("feeds", "/ui/feeds".to_owned()),
            ("sign-in", "/ui/sign-in".to_owned()),
            ("history", format!("{image}/history")),
            ("index", format!("/ui/images/{}", self.index)),
            ("failed", format!("/ui/images/{}", self.failed)),
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

#[test]
fn pages_load_without_a_complaint_and_fit_on_a_phone_and_in_the_dark() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let (mut browser, axe) = (Browser::start(), axe());
    let pages = harbour.pages();
    let looked = pages.iter().flat_map(|(name, path)| browser.look(name, &harbour.url(path), axe.as_deref()));
    let mut bad: Vec<String> = looked.collect();
    bad.dedup();
    assert!(bad.is_empty(), "{} problems:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn what_images_and_feeds_say_is_neither_run_nor_linked() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let mut browser = Browser::start();
    let mut shown = String::new();
    for end in ["", "?text=barnacle", "/packages", "/layers", "/documents", "/compare", "/history"] {
        browser.open(&harbour.url(&format!("/ui/images/{}{end}", harbour.hostile)));
        browser.value("document.querySelectorAll('details').forEach((part) => { part.open = true; })");
        assert_eq!(browser.value("typeof window.ran"), json!("undefined"), "{end}");
        let schemes = "[...document.querySelectorAll('a[href]')].map((a) => a.protocol).filter((p) => !/^https?:$/.test(p))";
        assert_eq!(browser.value(schemes), json!([]), "{end}");
        shown += browser.value("document.body.textContent").as_str().unwrap();
        assert_eq!(browser.problems(), Vec::<String>::new(), "{end}");
    }
    assert!(
        shown.contains(SCRIPT) && shown.contains("javascript:window.ran=1"),
        "what the feed says stands nowhere"
    );
    assert!(!shown.contains('\u{202e}'), "what turns text around is shown as it is");
    // That a script would be seen if one were there, and that the policy stops it: one in the page, one from elsewhere, one of an attribute.
    for inject in [
        "{ const s = document.createElement('script'); s.textContent = 'window.ran=1'; document.body.append(s); }",
        "{ const s = document.createElement('script'); s.src = 'http://127.0.0.1:9/x.js'; document.body.append(s); }",
        "{ document.body.insertAdjacentHTML('beforeend', '<b onclick=window.ran=1>b</b>'); document.body.lastChild.click(); }",
    ] {
        browser.open(&harbour.url("/"));
        browser.value(inject);
        assert_eq!(browser.value("typeof window.ran"), json!("undefined"), "{inject}");
        browser.refused("script-src");
    }
}

#[test]
fn filters_are_forms_and_each_view_has_an_address() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let mut browser = Browser::start();
    browser.open(&harbour.url(&format!("/ui/images/{}", harbour.image)));
    let rows = "[...document.querySelectorAll('main table.findings tbody .severity')].map((s) => s.innerText).filter(Boolean)";
    let worst_first = browser.value(rows);
    let order = ["Critical", "High", "Medium", "Low", "Negligible", "Unknown"];
    let ranks: Vec<_> =
        worst_first.as_array().unwrap().iter().map(|one| order.iter().position(|o| one == o)).collect();
    assert!(!ranks.is_empty() && ranks.is_sorted(), "{worst_first}");
    browser.value("document.querySelector('form.filters input[name=text]').focus()");
    browser.write("barnacle");
    browser.event("Page.loadEventFired", |browser| browser.press("Enter", 13));
    let address = browser.value("location.search");
    assert!(address.as_str().unwrap().contains("text=barnacle"), "{address}");
    let filtered = browser.value("document.querySelector('main').innerText");
    assert!(
        filtered.as_str().unwrap().contains("barnacle") && !filtered.as_str().unwrap().contains("hull 1"),
        "{filtered}"
    );
    // The same address, the same view; a row says why it matched and what its vector means.
    let again = browser.value("location.href").as_str().unwrap().to_owned();
    browser.open(&again);
    assert_eq!(browser.value("document.querySelector('main').innerText"), filtered);
    browser.value("document.querySelectorAll('main details').forEach((part) => { part.open = true; })");
    let opened = browser.value("document.querySelector('main').innerText");
    for wanted in ["CVSS", "Attack vector", "barnacle"] {
        assert!(opened.as_str().unwrap().contains(wanted), "{wanted}: {opened}");
    }
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
fn the_tags_change_by_themselves_and_are_whole_without_a_script() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let mut layout = Layout::default();
    let late = Layer::new().file("srv/late.txt", "like no other");
    let top = layout.image(&Image::new("amd64", vec![("ADD base", base("amd64")), ("COPY late", late)]));
    harbour.registry.push("team/late", &layout, &top, "1");
    harbour.registry.script("team/late/manifests", Deed::Stall);
    let digest = top["digest"].as_str().unwrap();
    harbour.tell("team/late", digest);
    harbour.serving.until(digest, &["fetching"]);
    let page = harbour.url(&format!("/ui/repositories/{}/team/late", harbour.registry.host));
    let (mut browser, mut plain) = (Browser::start(), Browser::start());
    plain.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    plain.open(&page);
    browser.open(&page);
    browser.value("window.isTheSamePage = true");
    let standing = "document.querySelector('#tags .standing').innerText";
    for browser in [&mut browser, &mut plain] {
        let stands = browser.value(standing);
        assert!(!stands.as_str().unwrap().contains("Scanned"), "{stands}");
    }
    harbour.registry.behave();
    browser.until(&format!("{standing}.includes('Scanned')"));
    browser.keep("tags-live");
    assert_eq!(browser.value("window.isTheSamePage"), json!(true), "it was not loaded again");
    assert_eq!(browser.problems(), Vec::<String>::new());
    // Without a script the same page says the same once it is loaded again.
    plain.open(&page);
    // But for the buttons that copy, which take a script.
    let text = "document.querySelector('main').innerText.replace(/Copy|\\s/g, '')";
    assert_eq!(plain.value(text), browser.value(text));
}

#[test]
fn a_scan_is_called_off_from_its_page() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let mut layout = Layout::default();
    let late = Layer::new().file("srv/late.txt", "called off");
    let top = layout.image(&Image::new("amd64", vec![("COPY late", late)]));
    harbour.registry.push("team/late", &layout, &top, "1");
    for layer in layout.blobs.keys().filter(|digest| **digest != top["digest"]) {
        harbour.registry.script(&format!("blobs/{layer}"), Deed::Stall);
    }
    let digest = top["digest"].as_str().unwrap();
    harbour.tell("team/late", digest);
    harbour.serving.until(digest, &["fetching", "indexing"]);
    let mut browser = Browser::start();
    browser.open(&harbour.url(&format!("/ui/images/{digest}")));
    let button = "[...document.querySelectorAll('#image button')].find((b) => b.innerText.includes('Call'))";
    assert_eq!(
        browser.value(&format!("!!{button}")),
        json!(true),
        "{}",
        browser.value("document.body.innerText")
    );
    browser.event("Page.loadEventFired", |browser| drop(browser.value(&format!("{button}.click()"))));
    // A read that waits is not broken off; when it ends, the worker has heard of it.
    harbour.serving.until(digest, &["cancelled"]);
    browser.open(&harbour.url(&format!("/ui/images/{digest}")));
    let text = browser.value("document.querySelector('#image').innerText");
    assert!(text.as_str().unwrap().contains("Cancelled"), "{text}");
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[test]
fn people_sign_in_with_a_token_and_out_again() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let world = World::with_database();
    let made =
        world.plimsoll(&["token", "new", "reader", "--scope", "read", "--into", "tokens.toml"]).expect(0);
    let token = made.stdout.split_whitespace().find(|word| word.starts_with("plimsoll_")).unwrap().to_owned();
    let mut config = fs::read_to_string(world.path("config.toml")).unwrap_or_default();
    config += "[server.auth]\ntokens_file = \"tokens.toml\"\n";
    world.write("config.toml", config);
    let serving = Serving::ready(&world, &["--no-update"]);
    let mut browser = Browser::start();
    browser.open(&serving.url);
    let heading = "document.querySelector('h1').innerText";
    assert_eq!(browser.value(heading), json!("Sign in"));
    for (typed, wanted) in [("plimsoll_guess", "Sign in"), (token.as_str(), "Overview")] {
        browser.value("document.querySelector('#token').focus()");
        browser.write(typed);
        browser.event("Page.loadEventFired", |browser| browser.press("Enter", 13));
        assert_eq!(browser.value(heading), json!(wanted), "{typed}");
    }
    // No script can read what the browser keeps.
    assert_eq!(browser.value("document.cookie"), json!(""));
    browser.event("Page.loadEventFired", |browser| {
        drop(browser.value("document.querySelector('.who button').click()"));
    });
    assert_eq!(browser.value(heading), json!("Sign in"));
}

#[test]
fn the_keyboard_is_enough() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let harbour = Harbour::new();
    let mut browser = Browser::start();
    browser.size(1280, 900, false);
    let tags = format!("/ui/repositories/{}/team/fleet", harbour.registry.host);
    for path in ["/".to_owned(), tags, format!("/ui/images/{}", harbour.image)] {
        browser.open(&harbour.url(&path));
        walk(&mut browser, &path);
    }
    // A row is opened and a view is chosen by keys alone.
    browser.value("document.querySelector('main details summary').focus()");
    browser.press("Enter", 13);
    browser.until("document.querySelector('main details').open");
}

/// What the keyboard stops at.
const STOPS: &str = "a[href], button, input, select, summary";

/// Walks through a page by Tab: everything is reached, in the order in which it stands, and seen when it is.
fn walk(browser: &mut Browser, path: &str) {
    let wanted = browser.value(&format!("document.querySelectorAll('{STOPS}').length"));
    let mut reached: Vec<Value> = Vec::new();
    // Each stop is marked, so that coming back to the first is seen.
    for _ in 0..wanted.as_u64().unwrap() + 20 {
        browser.press("Tab", 9);
        let stop = browser.value(
            "(() => { const at = document.activeElement; if (!at || at === document.body || at.dataset.reached) return null; \
             at.dataset.reached = 1; const style = getComputedStyle(at); const last = window.lastStop; window.lastStop = at; \
             return {what: at.outerHTML.slice(0, 120), seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0, \
             behind: !last || (last.compareDocumentPosition(at) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0}; })()",
        );
        if !stop.is_null() {
            reached.push(stop);
        }
    }
    let is_bad = |stop: &&Value| stop["seen"] != json!(true) || stop["behind"] != json!(true);
    let bad: Vec<&Value> = reached.iter().filter(is_bad).collect();
    assert!(bad.is_empty(), "{path}: no outline where the focus is, or out of order: {bad:#?}");
    let first = reached.first().unwrap()["what"].as_str().unwrap();
    assert!(first.contains("skip"), "{path}: the first stop leads past the navigation: {first}");
    let missed = browser.value(&format!(
        "[...document.querySelectorAll('{STOPS}')].filter((e) => !e.dataset.reached && \
         e.checkVisibility()).map((e) => e.outerHTML.slice(0, 120))"
    ));
    assert_eq!(missed, json!([]), "{path}: cannot be reached");
}
