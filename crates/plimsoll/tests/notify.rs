//! Notifications of a server that runs: what happens to a scan is told, seen in the list of deliveries, and told again.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lapin::options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ExchangeKind};
use plimsoll_net::Request;
use serde_json::{Value, json};

use support::receivers::{HookRequest, HookServer};
use support::serving::Serving;
use support::{World, second_tier};

mod support;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Longest wait for what another thread or process does.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A port at which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks until there is an answer.
#[track_caller]
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < WAIT_MAX, "{what} does not come");
        std::thread::yield_now();
    }
}

/// A server that scans in vain: the host of what is submitted may not be asked.
fn scan_in_vain(world: &World) -> Serving {
    let serving = Serving::ready(world, &["--no-update"]);
    let submitted = serving.submit(&format!("127.0.0.1:{}/harbour/ship:1", free_port()));
    serving.until(submitted["id"].as_str().unwrap(), &["failed"]);
    serving
}

fn hooked(world: &World, hook: &HookServer) {
    world.write("secret", SECRET);
    let config = format!(
        "[notify.pipeline]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/hook\"\nsecret_files = [\"secret\"]\n\
         events = [\"scan.failed\"]\n",
        hook.port
    );
    world.write("config.toml", config);
}

fn one_request(hook: &HookServer) -> HookRequest {
    until("a request", || hook.take().pop())
}

#[test]
fn a_scan_that_failed_is_told_and_told_again() {
    let (world, hook) = (World::with_database(), HookServer::start());
    hooked(&world, &hook);
    let serving = scan_in_vain(&world);
    let request = one_request(&hook);
    let event: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        (&event["type"], &event["data"]["reason"]),
        (&json!("io.plimsoll.scan.failed"), &json!("address_refused"))
    );
    assert_eq!(event["id"], request.header("webhook-id"));
    let list = until("its state", || {
        let list = serving.get("/api/v1/deliveries?target=pipeline&state=delivered", 200);
        (!list["deliveries"].as_array().unwrap().is_empty()).then_some(list)
    });
    let delivery = &list["deliveries"][0];
    assert_eq!((&delivery["attempts"], delivery["body"].as_str()), (&json!(1), Some(request.body.as_str())));
    assert!(!list.to_string().contains(&SECRET[6..]), "{list}");
    assert_eq!(serving.get("/api/v1/deliveries?target=other", 200)["deliveries"], json!([]));
    assert_eq!(serving.get("/api/v1/deliveries?state=lost", 400)["code"], "bad_request");
    assert_eq!(serving.get("/api/v1/deliveries?before=-1", 400)["code"], "bad_request");

    let replay = |number: &str| {
        serving.send(Request::post(format!("/api/v1/deliveries/{number}/replay"), Vec::new())).status
    };
    assert_eq!([replay("999999"), replay("x")], [404, 400]);
    assert_eq!(replay(&delivery["number"].to_string()), 202);
    let again = one_request(&hook);
    assert_eq!(again.header("webhook-id"), request.header("webhook-id"));
    assert_eq!(again.body, request.body);
    assert_eq!(serving.end(), Some(0));
}

#[test]
fn a_target_that_is_not_understood_ends_the_start() {
    let world = World::with_database();
    world.write(
        "config.toml",
        "[notify.a]\nkind = \"webhook\"\nurl = \"https://a.example\"\nserver = \"b\"\n",
    );
    let ran = world.plimsoll(&["serve", "--listen", "127.0.0.1:0"]).expect(3);
    assert!(ran.stderr.contains("in `[notify.a]`: a target of kind `webhook` has no `server`"), "{ran}");
}

/// The standard library of the scheme, in Python (`standardwebhooks` of PyPI).
#[test]
fn signatures_verify_with_the_schemes_own_library() {
    if !second_tier(&["python3"]) {
        return;
    }
    let imported = Command::new("python3").args(["-c", "import standardwebhooks"]).output().unwrap();
    if !imported.status.success() {
        println!("skipped: `python3` has no `standardwebhooks`");
        return;
    }
    let (world, hook) = (World::with_database(), HookServer::start());
    hooked(&world, &hook);
    let _serving = scan_in_vain(&world);
    let request = one_request(&hook);
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<String, Value> =
        headers.iter().map(|name| ((*name).to_owned(), json!(request.header(name)))).collect();
    let program = "import json, sys\n\
                   from standardwebhooks import Webhook\n\
                   given = json.load(sys.stdin)\n\
                   print(Webhook(given['secret']).verify(given['body'], given['headers'])['type'])\n";
    let verify = |secret: &str| {
        let mut python = Command::new("python3")
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let given = json!({"secret": secret, "body": request.body, "headers": headers});
        python.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
        python.wait_with_output().unwrap()
    };
    let verified = verify(SECRET);
    assert_eq!(String::from_utf8_lossy(&verified.stdout), "io.plimsoll.scan.failed\n", "{verified:?}");
    let refused = verify("whsec_c2hpcHMgYWhveSwgc2hpcHMgYWhveSwgYWhveQ==");
    assert!(!refused.status.success(), "another secret: {refused:?}");
}

/// A broker of its own, in a folder of its own, as whoever runs the test.
struct Broker {
    child: Child,
    epmd_port: u16,
    port: u16,
}

impl Broker {
    /// Where Debian has the server, without the script that would start it as a service.
    fn program() -> Option<PathBuf> {
        let versions = std::fs::read_dir("/usr/lib/rabbitmq/lib").ok()?;
        let mut programs = versions.flatten().map(|entry| entry.path().join("sbin/rabbitmq-server"));
        programs.find(|path| path.is_file())
    }

    fn start(program: &Path, folder: &Path) -> Broker {
        let (port, epmd_port) = (free_port(), free_port());
        let mut command = Command::new(program);
        for (name, path) in [
            ("HOME", "home"),
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
            ("RABBITMQ_CONFIG_FILE", "none"),
            ("RABBITMQ_PID_FILE", "pid"),
        ] {
            command.env(name, folder.join(path));
        }
        std::fs::create_dir(folder.join("home")).unwrap();
        let mut child = command
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODENAME", format!("plimsoll-{port}@localhost"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", free_port().to_string())
            .env("ERL_EPMD_PORT", epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // It may be ended while it still believes that the broker lives.
            .env("ERL_EPMD_RELAXED_COMMAND_CHECK", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_up = lines.any(|line| line.is_ok_and(|line| line.contains("Starting broker... completed")));
        assert!(is_up, "the broker does not start");
        Broker { child, epmd_port, port }
    }

    fn uri(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // The script has started others, all of one group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
        // What finds Erlang's nodes is a process of its own, here one of the test's own.
        let mut end = Command::new("epmd");
        let end = end.arg("-kill").env("ERL_EPMD_PORT", self.epmd_port.to_string()).stdout(Stdio::null());
        let _ = end.stderr(Stdio::null()).status();
    }
}

#[test]
fn a_broker_takes_messages_and_confirms_them() {
    if !second_tier(&["epmd"]) {
        return;
    }
    let Some(program) = Broker::program() else {
        println!("skipped: `rabbitmq-server` is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&program, folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (_connection, channel) = runtime.block_on(async {
        let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let exchange = ExchangeDeclareOptions::default();
        let none = FieldTable::default;
        channel.exchange_declare("ships".into(), ExchangeKind::Direct, exchange, none()).await.unwrap();
        channel.queue_declare("taken".into(), QueueDeclareOptions::default(), none()).await.unwrap();
        let bind = QueueBindOptions::default();
        channel.queue_bind("taken".into(), "ships".into(), "failed".into(), bind, none()).await.unwrap();
        (connection, channel)
    });
    let world = World::with_database();
    world.write("password", "guest\n");
    let target = |name: &str, exchange: &str, key: &str| {
        format!(
            "[notify.{name}]\nkind = \"amqp\"\nurl = \"amqp://127.0.0.1:{}\"\nallow_plain = true\nexchange = \
             \"{exchange}\"\nrouting_key = \"{key}\"\ncredentials = {{ user = \"guest\", password_file = \"password\" \
             }}\n",
            broker.port
        )
    };
    let config =
        target("good", "ships", "failed") + &target("nobody", "ships", "x") + &target("wrong", "none", "x");
    world.write("config.toml", config);
    let serving = scan_in_vain(&world);
    let message = until("a message", || {
        let got = channel.basic_get("taken".into(), BasicGetOptions { no_ack: true });
        runtime.block_on(got).unwrap()
    });
    let body: Value = serde_json::from_slice(&message.delivery.data).unwrap();
    assert_eq!(body["type"], "io.plimsoll.scan.failed");
    let properties = &message.delivery.properties;
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/cloudevents+json");
    assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "plimsoll");
    for (name, wanted) in [
        ("nobody", "no queue takes messages with the routing key `x`; bind one"),
        ("wrong", "the exchange `none` cannot be used"),
    ] {
        let error = until("an error", || {
            let list = serving.get(&format!("/api/v1/deliveries?target={name}&state=waiting"), 200);
            list["deliveries"][0]["error"].as_str().map(str::to_owned)
        });
        assert!(error.contains(wanted), "{error}");
    }
    let delivered = until("its state", || {
        let list = serving.get("/api/v1/deliveries?target=good&state=delivered", 200);
        list["deliveries"].as_array().unwrap().first().cloned()
    });
    assert_eq!(delivered["error"], Value::Null);
}
