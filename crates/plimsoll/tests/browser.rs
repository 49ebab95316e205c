//! The server's pages in a real browser: that they load without a complaint, run nothing of what images say, follow what
//! happens, and can be used by keyboard, in the dark and on a narrow screen.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `chromium`. What pages look like is kept in `target/screenshots`.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_net::Request;
use serde_json::{Value, json};
use support::browser::Browser;
use support::images::{Image, Layout, MANIFEST, base, fleet, os_release, ship};
use support::layer::Layer;
use support::scripted::{Deed, Scripted};
use support::serving::Serving;
use support::{World, feeds, second_tier};

mod support;

const WIDE: (u32, u32) = (1280, 900);

/// Width of a narrow screen, in CSS pixels.
const NARROW: u32 = 390;

/// Most presses of the Tab key on one page.
const TABS_MAX: usize = 120;

/// What would run if it were taken for markup.
const SCRIPT: &str = "<script>window.ran=1</script>";

/// Turns what follows around.
const RIGHT_TO_LEFT: char = '\u{202e}';

/// A server with an image in each state that lasts, and what its pages are called.
struct Port {
    // In this order, so that the server ends before what it stands on.
    serving: Serving,
    registry: Scripted,
    _world: World,
}

impl Port {
    /// A server that works at one scan at a time.
    fn open(write_feeds: impl FnOnce(&World)) -> Port {
        let world = World::new();
        feeds::write_all(&world);
        write_feeds(&world);
        world.plimsoll(&["feeds", "update", "alpine-secdb", "epss", "kev", "osv-pypi"]).expect(0);
        let registry = Scripted::start();
        let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap();
        config += &format!("[registries.\"{}\"]\nplain_http = true\n[server]\nworkers = 1\n", registry.host);
        world.write("config.toml", config);
        let serving = Serving::ready(&world, &["--no-update"]);
        Port { serving, registry, _world: world }
    }

    /// Pushes an image under tag `1`; its digest.
    fn push(&self, repository: &str, image: &Image) -> String {
        let mut layout = Layout::default();
        let top = layout.image(image);
        self.registry.push(repository, &layout, &top, "1");
        top["digest"].as_str().unwrap().to_owned()
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
        let answer = self.serving.send(Request::post("/api/v1/hooks/distribution", body));
        assert_eq!(answer.status, 202);
    }

    /// Pushes an image, and waits until it is scanned; its digest.
    fn scan(&self, repository: &str, image: &Image) -> String {
        let digest = self.push(repository, image);
        self.tell(repository, &digest);
        self.serving.until(&digest, &["completed"]);
        digest
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.serving.url)
    }

    fn tags(&self, repository: &str) -> String {
        format!("/ui/repositories/{}/{repository}", self.registry.host)
    }

    /// Every page that there is, by what its screenshot is called.
    fn pages(&self) -> Vec<(&'static str, String)> {
        let image = format!("/ui/images/{}", self.scan("harbour/ship", &ship("amd64")));
        let older =
            self.scan("harbour/older", &Image::new("amd64", vec![("ADD rootfs.tar /", base("amd64"))]));
        let (layout, index) = fleet();
        self.registry.push("harbour/fleet", &layout, &index, "1");
        let index = index["digest"].as_str().unwrap();
        let fleet = self.serving.submit(&format!("{}/harbour/fleet:1", self.registry.host));
        self.serving.until(fleet["id"].as_str().unwrap(), &["completed"]);
        let lost = format!("{}/harbour/lost@sha256:{}", self.registry.host, "0".repeat(64));
        let lost = self.serving.submit(&lost)["id"].as_str().unwrap().to_owned();
        self.serving.until(&lost, &["failed"]);
        vec![
            ("overview", "/".to_owned()),
            ("repositories", "/ui/repositories".to_owned()),
            ("tags", self.tags("harbour/ship")),
            ("image", image.clone()),
            ("packages", format!("{image}/packages")),
            ("layers", format!("{image}/layers")),
            ("documents", format!("{image}/documents")),
            ("compare", format!("{image}/compare?with={older}")),
            ("index", format!("/ui/images/{index}")),
            ("failed", format!("/ui/images/{lost}")),
            ("sign-in", "/ui/sign-in".to_owned()),
            ("docs", "/docs".to_owned()),
        ]
    }
}

#[test]
fn every_page_loads_without_a_complaint() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let port = Port::open(|_| {});
    let mut browser = Browser::start(WIDE.0, WIDE.1);
    for (name, path) in port.pages() {
        let visit = browser.visit(&port.url(&path));
        browser.screenshot(name);
        assert_eq!((visit.status, visit.complaints), (200, vec![]), "{name}");
    }
}

/// OSV's records, of which one says what it should not.
fn hostile_records() -> Vec<Value> {
    let mut records = feeds::records();
    records[0]["summary"] = json!(format!("{RIGHT_TO_LEFT}{SCRIPT}"));
    records[0]["details"] = json!("<img src=x onerror=window.ran=1> [click](javascript:window.ran=1)");
    records[0]["references"] = json!([
        {"type": "WEB", "url": "javascript:window.ran=1"},
        {"type": "ADVISORY", "url": "https://advisories.example/\"onmouseover=\"window.ran=1"},
    ]);
    records
}

/// A distribution whose packages are called what they should not be.
fn hostile_image() -> Image {
    let long = "9".repeat(10_000);
    let installed = format!(
        "P:{SCRIPT}\nV:1.0-r0\nA:amd64\no:{SCRIPT}\nL:<b onclick=window.ran=1>\nU:javascript:window.ran=1\n\n\
         P:long\nV:{long}\nA:amd64\no:hull\nL:MIT\n\n\
         P:{RIGHT_TO_LEFT}gnp.exe\nV:1.2.3-r0\nA:amd64\no:hull\nL:MIT\n\n"
    );
    let system = format!("ID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"{SCRIPT}\"\n");
    let barnacle =
        "Metadata-Version: 2.1\nName: barnacle\nVersion: 1.5\nHome-page: javascript:window.ran=1\n\n";
    let layers = vec![
        ("RUN <img src=x onerror=window.ran=1>", os_release(&system).file("lib/apk/db/installed", installed)),
        ("COPY app /", Layer::new().file("opt/<svg onload=x>/barnacle-1.5.dist-info/METADATA", barnacle)),
    ];
    Image::new("amd64", layers)
}

#[test]
fn what_images_and_feeds_say_is_shown_and_not_run() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let port = Port::open(|world| feeds::write_osv(world, &hostile_records()));
    let mut browser = Browser::start(WIDE.0, WIDE.1);
    let image = format!("/ui/images/{}", port.scan("harbour/pirate", &hostile_image()));
    let paths =
        ["", "/packages", "/layers", "/documents", "/compare", "?text=%3Cscript%3Ewindow.ran=1%3C/script%3E"];
    let mut shown = String::new();
    for (nth, end) in paths.iter().enumerate() {
        let visit = browser.visit(&port.url(&format!("{image}{end}")));
        assert_eq!((visit.status, visit.complaints), (200, vec![]), "{end}");
        browser.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })");
        browser.screenshot(&format!("hostile-{nth}"));
        assert_eq!(browser.evaluate("typeof window.ran"), "undefined", "{end}");
        let links = "Array.from(document.querySelectorAll('a[href]'), (a) => a.protocol).filter((p) => !/^https?:$/.test(p))";
        assert_eq!(browser.evaluate(links), json!([]), "{end}");
        let wide =
            browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(wide, 0, "{end}: wider than its window");
        shown += browser.evaluate("document.body.textContent").as_str().unwrap();
    }
    assert!(shown.contains(SCRIPT), "what the image says stands nowhere");
    assert!(!shown.contains(RIGHT_TO_LEFT), "what turns text around is shown as it is");
    // That a script were seen if one were there, and that the policy would stop it.
    browser.evaluate("{ const s = document.createElement('script'); s.textContent = 'window.ran=1'; document.body.append(s); }");
    assert_eq!(browser.evaluate("typeof window.ran"), "undefined");
    assert!(browser.complaints().iter().any(|text| text.contains("policy: script-src")));
}

#[test]
fn a_page_follows_what_happens() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let port = Port::open(|_| {});
    let first = port.push("harbour/first", &Image::new("amd64", vec![("ADD /", base("amd64"))]));
    port.registry.script("harbour/first/blobs", Deed::Stall);
    port.tell("harbour/first", &first);
    port.serving.until(&first, &["fetching", "indexing"]);
    let second = port.push("harbour/second", &ship("amd64"));
    port.tell("harbour/second", &second);
    port.serving.until(&second, &["queued"]);

    let mut browser = Browser::start(WIDE.0, WIDE.1);
    let visit = browser.visit(&port.url(&port.tags("harbour/second")));
    assert_eq!((visit.status, visit.complaints), (200, vec![]));
    browser.evaluate("window.isTheSame = true");
    browser.until("document.querySelector('#tags .standing').innerText.includes('Queued')");
    browser.screenshot("live-queued");
    port.registry.behave();
    browser.until("document.querySelector('#tags .standing').innerText.includes('Scanned')");
    browser.screenshot("live-scanned");
    assert_eq!(browser.evaluate("window.isTheSame"), true, "the page was loaded anew");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// What has the focus: what it is, and whether that is seen.
const FOCUSED: &str = "(() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    return {
        isSkip: at.matches('a.skip'), isNavigation: at.matches('header nav a'), isFilter: at.matches('form.filters *'),
        isRow: at.matches('main table a, main table summary, main table button, .scroll'), isBody: at === document.body,
        isSeen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 && box.right > 0 && box.width > 0,
        what: at.outerHTML.slice(0, 120),
    };
})()";

#[test]
fn pages_can_be_used_by_keyboard() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let port = Port::open(|_| {});
    let image = port.scan("harbour/ship", &ship("amd64"));
    let mut browser = Browser::start(WIDE.0, WIDE.1);
    for (path, stops) in [
        (port.tags("harbour/ship"), &["isSkip", "isNavigation", "isRow"][..]),
        (format!("/ui/images/{image}"), &["isSkip", "isNavigation", "isFilter", "isRow"]),
        (format!("/ui/images/{image}/packages"), &["isSkip", "isNavigation", "isFilter"]),
    ] {
        browser.visit(&port.url(&path));
        // In this order, and every stop is seen.
        let mut left = stops.iter().peekable();
        for nth in 0..TABS_MAX {
            browser.tab();
            let focused = browser.evaluate(FOCUSED);
            if focused["isBody"] == true {
                break;
            }
            assert_eq!(focused["isSeen"], true, "{path}: {focused}");
            if nth == 0 {
                assert_eq!(focused["isSkip"], true, "{path}: {focused}");
                browser.screenshot("keyboard");
            }
            left.next_if(|stop| focused[**stop] == true);
        }
        assert_eq!(left.collect::<Vec<_>>(), Vec::<&&str>::new(), "{path}: never reached");
    }
}

#[test]
fn pages_are_dark_where_that_is_preferred_and_fit_narrow_screens() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let port = Port::open(|_| {});
    let mut browser = Browser::start(WIDE.0, WIDE.1);
    let light = "(() => { const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number); return (r + g + b) / 3; })()";
    let mut wide = Vec::new();
    for (name, path) in port.pages() {
        browser.resize(WIDE.0, WIDE.1);
        browser.prefer("light");
        browser.visit(&port.url(&path));
        let by_day = browser.evaluate(light).as_f64().unwrap();
        browser.prefer("dark");
        let by_night = browser.evaluate(light).as_f64().unwrap();
        browser.screenshot(&format!("dark-{name}"));
        assert!(by_day > 200.0 && by_night < 60.0, "{name}: {by_day} by day, {by_night} by night");
        browser.prefer("light");
        browser.resize(NARROW, WIDE.1);
        browser.visit(&port.url(&path));
        browser.screenshot(&format!("narrow-{name}"));
        let width = browser.evaluate("document.documentElement.scrollWidth").as_u64().unwrap();
        if width > u64::from(NARROW) {
            wide.push(format!("{name}: {width} pixels wide"));
        }
    }
    assert_eq!(wide, Vec::<String>::new());
}

/// Whatever axe-core finds, in short.
const AXE: &str = "axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations.flatMap((rule) => \
                   rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)} (${node.failureSummary.slice(0, 200)})`)))";

#[test]
fn axe_finds_nothing() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let script =
        std::env::var_os("PLIMSOLL_SCHEMAS").map(|folder| std::path::Path::new(&folder).join("axe.min.js"));
    let Some(script) = script.filter(|script| script.is_file()) else {
        println!(
            "skipped: needs axe.min.js; run tools/fetch-schemas.sh and name its folder in PLIMSOLL_SCHEMAS"
        );
        return;
    };
    let axe = std::fs::read_to_string(script).unwrap();
    let port = Port::open(|_| {});
    let mut browser = Browser::start(WIDE.0, WIDE.1);
    let mut found = Vec::new();
    for (name, path) in port.pages() {
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            browser.visit(&port.url(&path));
            browser.evaluate(&axe);
            let violations = browser.evaluate(AXE);
            found.extend(violations.as_array().unwrap().iter().map(|one| format!("{name}, {scheme}: {one}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
