//! A headless Chromium, asked over the DevTools protocol (`https://chromedevtools.github.io/devtools-protocol/`).
//!
//! It is spoken to through pipes, which the browser expects as descriptors 3 and 4: messages of JSON, each ended by a zero
//! byte. Nothing listens on a port.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// How long the page is given for something that is to come, in milliseconds.
const PATIENCE: u32 = 60_000;

/// Longest silence of the browser while something is expected of it: longer than a page is given.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// The least and the greatest relative luminance (WCAG 2.2) of the page and of what has a background of its own in it.
const LUMINANCE: &str = "(() => { const linear = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }; \
    const all = [document.body, ...document.querySelectorAll('header, .empty, .banner, button, input, select')].flatMap((e) => { \
    const [r, g, b, a] = getComputedStyle(e).backgroundColor.match(/[\\d.]+/g).map(Number); \
    return a === 0 ? [] : [0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)]; }); \
    return [Math.min(...all), Math.max(...all)]; })()";

/// Surfaces by day are at least so light, and by night at most so.
const LIGHT_MIN: f64 = 0.8;
const DARK_MAX: f64 = 0.2;

/// What axe finds, in short.
const AXE: &str = "axe.run().then((r) => r.violations.map((v) => v.id + ': ' + v.nodes[0].html + ' ' + v.nodes[0].failureSummary))";

/// Where axe is, if it was fetched; says so where it was not.
pub(crate) fn axe() -> Option<String> {
    let folder = std::env::var_os("PLIMSOLL_SCHEMAS").map(PathBuf::from);
    let script = folder.and_then(|folder| fs::read_to_string(folder.join("axe.min.js")).ok());
    if script.is_none() {
        println!("skipped: axe is not in PLIMSOLL_SCHEMAS");
    }
    script
}

/// A browser with one page, ended with its test.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    /// What it says, read by a thread, so that no wait is without an end.
    from: Receiver<Vec<u8>>,
    session: String,
    last: u64,
    /// What the page told by itself since it was last asked for.
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    pub(crate) fn start() -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 >/dev/null </dev/null", "sh"])
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
            ])
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, mut said) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (sender, from) = mpsc::channel();
        thread::spawn(move || {
            loop {
                let mut bytes = Vec::new();
                let is_whole = said.read_until(0, &mut bytes).is_ok() && bytes.pop() == Some(0);
                if !is_whole || sender.send(bytes).is_err() {
                    return;
                }
            }
        });
        let mut browser = Browser {
            child,
            to,
            from,
            session: String::new(),
            last: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method and gives its result.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let said = self.next();
            if said["id"] == self.last {
                assert!(said["error"].is_null(), "{method}: {said}");
                return said["result"].clone();
            }
            self.events.push(said);
        }
    }

    #[track_caller]
    fn next(&mut self) -> Value {
        let said = self.from.recv_timeout(SILENCE_MAX);
        let bytes = said.unwrap_or_else(|error| panic!("the browser says nothing more: {error}"));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Waits until the page has told something of its own.
    #[track_caller]
    fn told(&mut self, is_it: impl Fn(&Value) -> bool) {
        let until = Instant::now() + SILENCE_MAX;
        while !self.events.iter().any(&is_it) {
            assert!(Instant::now() < until, "the page does not tell it: {:#?}", self.events);
            let event = self.next();
            self.events.push(event);
        }
    }

    /// Loads a page; what it tells of itself from then on is kept for [`Browser::problems`].
    #[track_caller]
    pub(crate) fn open(&mut self, url: &str) {
        self.events.clear();
        let navigated = self.call("Page.navigate", json!({ "url": url }));
        assert!(navigated["errorText"].is_null(), "{url}: {navigated}");
        self.told(|event| event["method"] == "Page.loadEventFired");
    }

    /// The value of an expression, which may be a promise.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let wait = format!(
            "new Promise((done) => {{ const end = Date.now() + {PATIENCE}; const look = () => \
             ({expression}) ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 20); look(); }})"
        );
        if self.value(&wait) != json!(true) {
            let text = self.value("document.body.innerText");
            panic!("it never came to `{expression}`: {text}");
        }
    }

    /// What went wrong in the page: exceptions, errors on the console, what its policy did not allow.
    pub(crate) fn problems(&mut self) -> Vec<String> {
        // A round trip, so that everything from before it has come.
        self.value("1");
        let is_bad = |event: &&Value| match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => true,
            "Runtime.consoleAPICalled" => event["params"]["type"] == "error",
            "Log.entryAdded" => {
                ["error", "warning"].contains(&event["params"]["entry"]["level"].as_str().unwrap())
            }
            _ => false,
        };
        self.events.iter().filter(is_bad).map(ToString::to_string).collect()
    }

    /// Does something that has the page tell an event, and waits for it.
    pub(crate) fn event(&mut self, method: &str, deed: impl FnOnce(&mut Browser)) {
        self.events.clear();
        deed(self);
        self.told(|event| event["method"] == method);
    }

    /// Writes a text to where the focus is.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Waits until the page's policy has refused something by one of its directives.
    #[track_caller]
    pub(crate) fn refused(&mut self, directive: &str) {
        self.told(|event| {
            let text = event["params"]["entry"]["text"].as_str().unwrap_or_default();
            event["method"] == "Log.entryAdded" && text.contains(directive)
        });
    }

    /// The window's size, and whether its user likes it dark.
    pub(crate) fn size(&mut self, width: u32, height: u32, is_dark: bool) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        // What types something has a text; without it nothing is entered.
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Opens a page wide and narrow, by day and by night, keeps what is to be seen, and gives what is wrong with it: statuses,
    /// complaints, what stands out, what is not of its scheme, and what axe finds.
    pub(crate) fn look(&mut self, name: &str, url: &str, axe: Option<&str>) -> Vec<String> {
        let mut bad = Vec::new();
        for (width, is_dark) in [(1280, false), (390, false), (320, false), (1280, true), (390, true)] {
            self.size(width, 900, is_dark);
            self.open(url);
            let place = format!("{url} at {width}, dark {is_dark}");
            let heading =
                self.value("document.querySelector('h1') && document.querySelector('h1').innerText");
            let status = self.value("performance.getEntriesByType('navigation')[0].responseStatus");
            if status != json!(200) || heading.as_str().is_none_or(str::is_empty) {
                bad.push(format!("{place}: {status} {heading}"));
            }
            bad.extend(self.problems().iter().map(|problem| format!("{place}: {problem}")));
            let wide =
                self.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            if wide.as_i64().is_none_or(|wide| wide > 0) {
                bad.push(format!("{place}: {wide} pixels stand out"));
            }
            let luminance = self.value(LUMINANCE);
            let (least, most) = (luminance[0].as_f64().unwrap(), luminance[1].as_f64().unwrap());
            if if is_dark { most > DARK_MAX } else { least < LIGHT_MIN } {
                bad.push(format!("{place}: the luminance of its surfaces is {least} to {most}"));
            }
            // What was hostile has become text.
            if self.value("document.querySelectorAll('main img, main script').length") != json!(0) {
                bad.push(format!("{place}: something hostile became an element"));
            }
            if let Some(axe) = axe {
                self.value(&format!("{axe}; 1"));
                let found = self.value(AXE);
                let found = found.as_array().unwrap().iter();
                bad.extend(found.map(|one| format!("{place}: {one}")));
            }
            let scheme = if is_dark { "dark" } else { "light" };
            self.keep(&format!("{name}-{width}-{scheme}"));
        }
        bad
    }

    /// Keeps what is to be seen, the whole page, under `target/screenshots`.
    pub(crate) fn keep(&mut self, name: &str) {
        let shot =
            self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}));
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let folder = folder();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }
}

/// Where screenshots are kept.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots")
}
