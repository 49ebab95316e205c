//! The command line itself: help, what is refused and why, what cannot be opened and why.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::json;

use support::images::{self, Image, Layout, MANIFEST, ship};
use support::layer::gzip;
use support::{World, assert_run, feeds};

mod support;

const COMMANDS: [&[&str]; 30] = [
    &[],
    &["scan"],
    &["serve"],
    &["status"],
    &["clear"],
    &["promote"],
    &["audit"],
    &["policy"],
    &["policy", "check"],
    &["policy", "test"],
    &["feeds"],
    &["feeds", "list"],
    &["feeds", "status"],
    &["feeds", "update"],
    &["feeds", "import"],
    &["feeds", "keygen"],
    &["feeds", "mirror"],
    &["feeds", "pull"],
    &["feeds", "push"],
    &["feeds", "watch"],
    &["feeds", "warn"],
    &["feeds", "export"],
    &["feeds", "diff"],
    &["config"],
    &["config", "check"],
    &["config", "schema"],
    &["config", "import-clair"],
    &["token"],
    &["token", "new"],
    &["completions"],
];

#[test]
fn help_of_every_command() {
    let world = World::new();
    for command in COMMANDS.into_iter().chain([["man"].as_slice()]) {
        let name = format!("help_{}", command.join("_"));
        let arguments = [command, &["--help"]].concat();
        assert_run!(world, name, arguments).expect(0);
    }
    assert_eq!(
        world.plimsoll(&["help", "scan"]).expect(0).stdout,
        world.plimsoll(&["scan", "--help"]).stdout
    );
}

/// A command that is added is listed in the help of its parent.
#[test]
fn the_list_of_commands_is_complete() {
    let world = World::new();
    for parent in [[].as_slice(), &["feeds"], &["config"], &["policy"], &["token"]] {
        let help = world.plimsoll(&[parent, &["--help"]].concat()).stdout;
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in listed.take_while(|line| !line.is_empty()) {
            // What goes on in further lines is indented deeper.
            if line.starts_with("    ") {
                continue;
            }
            let name = line.split_whitespace().next().unwrap();
            let command = [parent, &[name]].concat();
            let is_known = COMMANDS.contains(&command.as_slice()) || matches!(name, "help" | "man");
            assert!(is_known, "`{}` has no snapshot of its help", command.join(" "));
        }
    }
}

#[test]
fn version() {
    let ran = World::new().plimsoll(&["--version"]).expect(0);
    assert_eq!(ran.stdout, concat!("plimsoll ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// What the user wrote is wrong: exit code 3.
#[test]
fn usage_errors() {
    let world = World::new();
    ship("amd64").write_layout(&world, "ship");
    for (name, arguments) in [
        ("no_command", [].as_slice()),
        ("unknown_command", &["scam"]),
        ("unknown_option", &["scan", "oci:ship", "--fail"]),
        ("no_image", &["scan"]),
        ("unknown_format", &["scan", "oci:ship", "--format", "pdf"]),
        ("two_reports_to_stdout", &["scan", "oci:ship", "-f", "table", "-f", "json"]),
        ("report_without_file", &["scan", "oci:ship", "-f", "json="]),
        ("two_reports_to_a_file", &["scan", "oci:ship", "-f", "json=out", "-f", "sarif=out"]),
        ("bad_fail_on", &["scan", "oci:ship", "--fail-on", "severe"]),
        ("bad_fail_on_suffix", &["scan", "oci:ship", "--fail-on", "high,fixed"]),
        ("bad_platform", &["scan", "oci:ship", "--platform", "amd64"]),
        ("no_threads", &["scan", "oci:ship", "--threads", "0"]),
        ("bad_mirror", &["scan", "oci:ship", "--registry-mirror", "mirror"]),
        ("unknown_feed", &["feeds", "update", "barnacle"]),
        ("unknown_feeds", &["feeds", "update", "barn*"]),
        ("misspelt_feed", &["feeds", "update", "osv-pipy"]),
        ("half_a_feed", &["feeds", "update", "osv"]),
        ("feed_that_is_off", &["feeds", "update", "osv-debian"]),
        ("feeds_that_are_off", &["feeds", "update", "osv-debian*"]),
        ("unknown_feed_in_url", &["feeds", "update", "--feed-url", "barnacle=file:///srv"]),
        ("bad_feed_url", &["feeds", "update", "--feed-url", "osv-pypi"]),
        ("unknown_shell", &["completions", "tcsh"]),
        ("config_absent", &["--config", "none.toml", "scan", "oci:ship"]),
    ] {
        let ran = assert_run!(world, format!("usage_{name}"), arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{name}: {ran}");
    }
}

#[test]
fn errors_in_the_configuration() {
    for (name, text) in [
        ("bad_key", "[feeds.osv]\nurls = \"file:///srv/osv\"\n"),
        ("bad_section", "[feed.osv]\nurl = \"file:///srv/osv\"\n"),
        ("bad_feed", "[feeds.barnacle]\nurl = \"file:///srv\"\n"),
        ("misspelt_feed", "[feeds.epps]\nurl = \"file:///srv\"\n"),
        ("bad_pattern", "[feeds.\"barn*\"]\nenabled = false\n"),
        ("time_without_unit", "[feeds.kev]\nevery = \"10\"\n"),
        ("bad_url", "[feeds.kev]\nurl = \"ftp://mirror.example/kev\"\n"),
        ("half_credentials", "[feeds.kev]\ncredentials = { user = \"me\" }\n"),
        (
            "credentials_without_tls",
            "[feeds.kev]\nurl = \"http://mirror.example/kev\"\ncredentials = { token_env = \"T\" }\n",
        ),
        ("size_without_unit", "[feeds.kev]\nsize_max = \"500\"\n"),
        ("bad_type", "[feeds.osv]\nmax_age = \"a week\"\n"),
        ("not_toml", "feeds: osv\n"),
    ] {
        let world = World::new();
        world.write("config.toml", text);
        let ran = assert_run!(world, format!("config_{name}"), ["feeds", "status"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{name}: {ran}");
    }
}

#[test]
fn the_configuration_is_checked() {
    let world = World::new();
    assert_run!(world, "check_none", ["config", "check"]).expect(0);
    world.write("token", "geheim\n");
    world.write(
        "good.toml",
        "[feeds.\"osv-*\"]\nenabled = false\n\
         [feeds.osv-debian]\nenabled = true\nurl = \"https://user:word@mirror.example/osv\"\nevery = \"90m\"\n\
         [feeds.kev]\nmirrors = [\"file:///srv/kev\"]\nsize_max = \"5MB\"\nmax_age = 3\n\
         [feeds.alpine-secdb]\nenabled = false\n[feeds.debian-tracker]\nenabled = false\n\
         [feeds.epss]\nurl = \"https://mirror.example:8443/epss\"\ntimeout = \"5m\"\n\
         credentials = { token_file = \"token\" }\n\
         [registries.\"registry.example:5000\"]\nmirrors = [\"mirror.example/hub\"]\nplain_http = true\n\
         [warnings.webhook]\nurl = \"https://hooks.example/in?key=geheim\"\n",
    );
    let ran = assert_run!(world, "check_good", ["config", "check", "good.toml"]).expect(0);
    assert!(!ran.stdout.contains("geheim") && !ran.stdout.contains("word"), "{ran}");
    let ran = world.plimsoll(&["--offline", "config", "check", "good.toml"]).expect(0);
    let hosts = "`mirror.example:8443`, `mirror.example:443`, `registry.example:5000`, `mirror.example`, `hooks.example`";
    assert!(ran.stdout.contains(&format!("offline; the hosts that may be asked: {hosts}\n")), "{ran}");
    world.write(
        "offline.toml",
        "offline = true\n[feeds.\"*\"]\nenabled = false\n[feeds.kev]\nenabled = true\n",
    );
    let ran = world.plimsoll(&["config", "check", "offline.toml"]).expect(0);
    assert!(ran.stdout.contains("have no URL offline, so that only a bundle can bring them: kev\n"), "{ran}");
    world.write(
        "bad.toml",
        "[feeds.kev]\ncredentials = { user = \"me\", password_file = \"none\" }\n\
         [feeds.epss]\nca = \"none.pem\"\n",
    );
    assert_run!(world, "check_problems", ["--config", "bad.toml", "config", "check"]).expect(3);
    assert_run!(world, "check_absent", ["config", "check", "none.toml"]).expect(3);
}

/// The published schema is what the binary prints.
#[test]
fn the_schema_of_the_configuration() {
    let ran = World::new().plimsoll(&["config", "schema"]).expect(0);
    assert_eq!(ran.stdout, include_str!("../../../docs/schema/config-1.json"));
}

/// An image that cannot be opened: exit code 2, and no report.
#[track_caller]
fn check_not_opened(world: &World, name: &str, reference: &str) {
    let ran = assert_run!(world, format!("open_{name}"), ["scan", reference]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
}

#[test]
fn images_that_are_not_there() {
    let world = World::new();
    let digest = ship("amd64").write_layout(&world, "ship");
    let mut layout = Layout::default();
    for (name, architecture) in [("1", "amd64"), ("2", "arm64")] {
        let descriptor = layout.image(&ship(architecture));
        layout.name(descriptor, Some(name));
    }
    layout.write(&world, "two");
    let other = images::digest(b"other");
    check_not_opened(&world, "no_layout", "oci:none");
    check_not_opened(&world, "no_tag", "oci:two:3");
    check_not_opened(&world, "several", "oci:two");
    check_not_opened(&world, "no_digest", &format!("oci:ship@{other}"));
    check_not_opened(&world, "bad_digest", &format!("oci:ship@{}", &digest[..20]));
    check_not_opened(&world, "no_root", "dir:none");
    check_not_opened(&world, "no_archive", "docker-archive:none.tar");
    check_not_opened(&world, "empty_path", "oci:");
    check_not_opened(&world, "bad_reference", "Not A Reference");
}

#[test]
fn images_that_are_not_what_they_should_be() {
    let world = World::new();
    ship("amd64").write_layout(&world, "ship");
    let mut layout = Layout::default();
    let descriptor = layout.image(&ship("amd64"));
    let manifest = descriptor["digest"].as_str().unwrap().to_owned();
    layout.name(descriptor, None);
    let whole = layout.blobs[&manifest].clone();
    layout.blobs.insert(manifest.clone(), [whole.as_slice(), b" "].concat());
    layout.write(&world, "longer");
    check_not_opened(&world, "manifest_longer", "oci:longer");
    layout.blobs.insert(manifest.clone(), [&whole[..whole.len() - 1], b" "].concat());
    layout.write(&world, "changed");
    check_not_opened(&world, "manifest_changed", "oci:changed");
    layout.blobs.remove(&manifest);
    layout.write(&world, "without");
    check_not_opened(&world, "manifest_absent", "oci:without");
    world.write("broken/index.json", "{\"schemaVersion\": 2, \"manifests\": [");
    check_not_opened(&world, "index_broken", "oci:broken");
    world.write("empty/index.json", "{\"schemaVersion\": 2, \"manifests\": []}");
    check_not_opened(&world, "index_empty", "oci:empty");
}

/// As `helm push` writes it.
#[test]
fn an_artifact_that_is_no_image() {
    let world = World::new();
    let mut layout = Layout::default();
    let config = layout.blob("application/vnd.cncf.helm.config.v1+json", b"{\"name\":\"chart\"}".to_vec());
    let chart = layout.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", gzip(b"chart"));
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [chart]});
    let descriptor = layout.blob(MANIFEST, manifest.to_string().into_bytes());
    layout.name(descriptor, None);
    layout.write(&world, "chart");
    check_not_opened(&world, "chart", "oci:chart");
}

#[test]
fn archives_that_cannot_be_read() {
    let world = World::new();
    let image = ship("amd64");
    image.write_docker_archive(&world, "saved.tar");
    let saved = fs::read(world.path("saved.tar")).unwrap();
    world.write("saved.tar.gz", gzip(&saved));
    check_not_opened(&world, "compressed_docker_archive", "docker-archive:saved.tar.gz");
    world.write("cut.tar", &saved[..2000]);
    check_not_opened(&world, "cut_docker_archive", "docker-archive:cut.tar");
    world.write("text.tar", "this is no tar\n".repeat(100));
    check_not_opened(&world, "text_docker_archive", "docker-archive:text.tar");
    check_not_opened(&world, "no_image_in_docker_archive", "docker-archive:saved.tar:2");
    check_not_opened(&world, "docker_archive_as_layout", "oci-archive:saved.tar");
    let mut layout = Layout::default();
    let descriptor = layout.image(&image);
    layout.name(descriptor, None);
    layout.write_archive(&world, "layout.tar");
    world.write("layout.tar.gz", gzip(&fs::read(world.path("layout.tar")).unwrap()));
    check_not_opened(&world, "compressed_layout", "oci-archive:layout.tar.gz");
    check_not_opened(&world, "layout_as_docker_archive", "docker-archive:layout.tar");
}

/// A damaged database is an error, never a database without advisories.
#[test]
fn databases_that_are_damaged() {
    let world = World::with_database();
    Image::new("amd64", vec![("", images::base("amd64"))]).write_layout(&world, "base");
    let whole = fs::read(world.path("data/database.plimsoll")).unwrap();
    let check = |name: &str, bytes: &[u8]| {
        world.write("data/database.plimsoll", bytes);
        let ran = assert_run!(world, format!("database_{name}"), ["scan", "oci:base"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
    };
    check("empty", b"");
    check("cut_in_header", &whole[..20]);
    check("cut", &whole[..whole.len() - 1]);
    check("text", &b"this is no database\n".repeat(100));
    let mut other_version = whole.clone();
    other_version[0] ^= 0xff;
    check("other_magic", &other_version);
    support::feeds::turn_others_off(&world);
    assert_run!(world, "database_other_magic_status", ["feeds", "status"]);
    // The next update mends it: it is built anew from the snapshots.
    world.plimsoll(&["feeds", "update", "kev"]).expect(0);
    world.plimsoll(&["scan", "oci:base"]).expect(0);
}

#[test]
fn reports_that_cannot_be_written() {
    let world = World::with_database();
    ship("amd64").write_layout(&world, "ship");
    assert_run!(world, "report_into_no_folder", ["scan", "oci:ship", "-f", "json=none/out.json"]).expect(2);
    fs::create_dir(world.path("folder")).unwrap();
    assert_run!(world, "report_over_a_folder", ["scan", "oci:ship", "-f", "json=folder"]).expect(2);
    assert!(!world.files(".").iter().any(|name| name.contains("tmp")), "nothing is left beside it");
}

/// A report is renamed into place only where a plain file is, or nothing. The links stand for what must not be
/// replaced, least of all if this fails.
#[test]
fn devices_and_links_stay_what_they_are() {
    let world = World::with_database();
    ship("amd64").write_layout(&world, "ship");
    let report = world.plimsoll(&["scan", "oci:ship", "-f", "json"]).expect(0).stdout;
    world.write("real.json", "x".repeat(100_000));
    for target in ["/dev/null", "real.json", "new.json"] {
        std::os::unix::fs::symlink(target, world.path("link")).unwrap();
        world.plimsoll(&["scan", "oci:ship", "-f", "json=link"]).expect(0);
        assert_eq!(fs::read_link(world.path("link")).unwrap().to_str(), Some(target));
        if target != "/dev/null" {
            assert_eq!(fs::read_to_string(world.path(target)).unwrap(), report);
        }
        world.plimsoll(&["feeds", "export", "--sqlite", "link"]).expect(2);
        assert_eq!(fs::read_link(world.path("link")).unwrap().to_str(), Some(target));
        fs::remove_file(world.path("link")).unwrap();
    }
    std::os::unix::fs::symlink("real.json", world.path("link")).unwrap();
    assert_run!(world, "export_over_a_link", ["feeds", "export", "--sqlite", "link"]).expect(2);
}

#[test]
fn completions_and_manual() {
    let world = World::new();
    for (shell, mark) in
        [("bash", "complete -F _plimsoll"), ("zsh", "#compdef plimsoll"), ("fish", "complete -c plimsoll")]
    {
        let script = world.plimsoll(&["completions", shell]).expect(0).stdout;
        assert!(script.contains(mark) && script.contains("fail-on"), "{shell}:\n{script}");
    }
    let page = world.plimsoll(&["man"]).expect(0).stdout;
    assert!(page.contains(".TH plimsoll 1"), "{page}");
    world.plimsoll(&["man", "pages"]).expect(0);
    let pages: Vec<String> = world.files("pages").into_iter().collect();
    insta::assert_snapshot!("manual_pages", pages.join("\n"));
}

/// Neither help nor lists nor completions need a data directory, a home or a configuration.
#[test]
fn what_needs_no_state_needs_no_home() {
    let world = World::new();
    for arguments in [["--help"].as_slice(), &["completions", "bash"], &["man"]] {
        let mut command = world.command(arguments);
        let ran = world.finish(command.env_remove("HOME").env_remove("PLIMSOLL_DATA_DIR").spawn().unwrap());
        ran.expect(0);
    }
    assert_eq!(world.files(".").len(), 0);
}

/// As `plimsoll feeds list | head -1` does.
#[test]
fn a_reader_that_stops_is_no_error() {
    let world = World::new();
    feeds::write_all(&world);
    let mut child = world.spawn(&["feeds", "list"]);
    drop(child.stdout.take());
    let ran = world.finish(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}
