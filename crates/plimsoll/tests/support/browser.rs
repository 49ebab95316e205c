//! Headless Chromium, driven over its DevTools protocol: what a page's tests need of it, and no more.
//!
//! One WebSocket leads to one browser with one page. The browser has a folder of its own, and ends with its test.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// Longest silence of the browser.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Longest time in which a page comes to what it is waited for, in milliseconds.
const PAGE_MAX: u32 = 30_000;

/// Tells of what a page's policy stopped as of any other error.
const WATCH: &str = "document.addEventListener('securitypolicyviolation', \
                     (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));";

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    /// Its profile; removed when it has ended.
    _folder: tempfile::TempDir,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    calls: u64,
    /// What the page told since it was last asked.
    events: Vec<Value>,
}

/// What came of visiting a page.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) status: u64,
    /// Errors of its console, exceptions, dialogs, and what its policy stopped.
    pub(crate) complaints: Vec<String>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    /// Starts one, with a page of this width and height in CSS pixels.
    pub(crate) fn start(width: u32, height: u32) -> Browser {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg("about:blank")
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.by_ref().map_while(Result::ok);
        let url =
            said.filter_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned)).next();
        let url = url.expect("the browser says where it listens");
        // It would stop once the pipe is full.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(SILENCE_MAX)).unwrap();
        let (socket, _) = tungstenite::client(url.as_str(), stream).unwrap();
        let mut browser =
            Browser { child, _folder: folder, socket, session: None, calls: 0, events: Vec::new() };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": WATCH}));
        browser.resize(width, height);
        browser
    }

    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// `light` or `dark`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
    }

    /// Calls a method; its result.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut call = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(call.to_string())).unwrap();
        loop {
            let mut message = self.read();
            if message["id"] == json!(id) {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("the browser speaks") {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Loads a page, to the end of its loading.
    #[track_caller]
    pub(crate) fn visit(&mut self, url: &str) -> Visit {
        self.events.clear();
        let loader = self.call("Page.navigate", json!({"url": url}))["loaderId"].clone();
        assert!(loader.is_string(), "{url} is not loaded");
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.read();
            self.events.push(event);
        }
        let is_document = |event: &&Value| {
            event["method"] == "Network.responseReceived"
                && event["params"]["loaderId"] == loader
                && event["params"]["type"] == "Document"
        };
        let response = self.events.iter().find(is_document).expect("a page has an answer");
        let status = response["params"]["response"]["status"].as_u64().unwrap();
        Visit { status, complaints: self.complaints() }
    }

    /// What the page complained of since it was visited.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // What it told before the answer to this has been read with it.
        self.evaluate("0");
        self.events.iter().filter_map(complaint).collect()
    }

    /// The value of an expression in the page; a promise is waited for.
    #[track_caller]
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let what = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut result = self.call("Runtime.evaluate", what);
        assert!(result.get("exceptionDetails").is_none(), "{expression:.200}: {result:#}");
        result["result"]["value"].take()
    }

    /// Waits in the page until an expression holds, which is looked at whenever the document changes.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        self.evaluate(&format!(
            "new Promise((done, fail) => {{
                const look = () => {{ if ({expression}) {{ watch.disconnect(); done(true); }} }};
                const watch = new MutationObserver(look);
                watch.observe(document, {{ childList: true, subtree: true, attributes: true, characterData: true }});
                setTimeout(() => fail(new Error('never: ' + document.body.innerText)), {PAGE_MAX});
                look();
            }})"
        ));
    }

    /// Presses the Tab key.
    pub(crate) fn tab(&mut self) {
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9});
            self.call("Input.dispatchKeyEvent", key);
        }
    }

    /// Keeps what the whole page looks like as `target/screenshots/NAME.png`.
    pub(crate) fn screenshot(&mut self, name: &str) {
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let how = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let taken = self.call("Page.captureScreenshot", how);
        let target = Path::new(env!("CARGO_BIN_EXE_plimsoll")).ancestors().nth(2).unwrap();
        let folder = target.join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        let bytes = BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }
}

/// What is wrong, if an event says that something is.
fn complaint(event: &Value) -> Option<String> {
    let told = &event["params"];
    match event["method"].as_str()? {
        "Log.entryAdded" if told["entry"]["level"] == "error" => Some(told["entry"]["text"].to_string()),
        "Runtime.consoleAPICalled" if told["type"] == "error" || told["type"] == "assert" => {
            Some(told["args"].to_string())
        }
        "Runtime.exceptionThrown" => Some(told["exceptionDetails"].to_string()),
        "Page.javascriptDialogOpening" => Some(format!("a dialog: {}", told["message"])),
        _ => None,
    }
}
