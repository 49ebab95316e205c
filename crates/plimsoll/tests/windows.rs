//! Windows images, the matrix of cases W1 to W24: what an image is made of, and what a scan says of it.
//!
//! Nothing here is Microsoft's: hives, layers, programs, configs and the feed are written by the test kit and by this file,
//! with facts of Microsoft's public bulletins (numbers of products, updates and builds). The cases of reading hives and
//! tars alone are in `plimsoll-image`, and those of reading the feed in `plimsoll-feeds`, under the same names.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

use plimsoll_testkit::hive::Hive;
use plimsoll_testkit::image::Image;
use plimsoll_testkit::layer::Layer;
use plimsoll_testkit::pe;
use support::World;

#[path = "windows/feed.rs"]
mod feed;
mod support;

const CURRENT: &str = r"Microsoft\Windows NT\CurrentVersion";
const PACKAGES: &str = r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages";
const UNINSTALL: &str = r"Microsoft\Windows\CurrentVersion\Uninstall";
const SOFTWARE: &str = "Files/Windows/System32/config/SOFTWARE";
const DELTA: &str = "Hives/Software_Delta";
const BASE: &str = "Apply image 10.0.20348.2402";

/// A whole hive of an installation.
fn system(build: u32, revision: u32, installation: &str) -> Hive {
    Hive::base()
        .value(CURRENT, "CurrentBuild", build.to_string().as_str())
        .value(CURRENT, "CurrentMajorVersionNumber", 10_u32)
        .value(CURRENT, "CurrentMinorVersionNumber", 0_u32)
        .value(CURRENT, "UBR", revision)
        .value(CURRENT, "InstallationType", installation)
        .value(CURRENT, "EditionID", "ServerDatacenter")
        .value(CURRENT, "DisplayVersion", "21H2")
        .value(CURRENT, "ProductName", "Windows Server 2016 Datacenter")
}

/// A hive of what a layer changed.
fn delta() -> Hive {
    Hive::differencing()
}

/// A base layer with a whole hive and nothing else.
fn base(build: u32, revision: u32, installation: &str) -> Layer {
    Layer::new().directory("Files").file(SOFTWARE, system(build, revision, installation).build())
}

/// An image of a base layer alone, whose config says the same as its hive.
fn plain(build: u32, revision: u32, installation: &str) -> Image {
    let version = format!("10.0.{build}.{revision}");
    Image::windows(Some(&version))
        .layer(&format!("Apply image {version}"), &base(build, revision, installation))
}

/// Server 2022 Core of May 2024.
fn core_2022(revision: u32) -> Image {
    plain(20348, revision, "Server Core")
}

/// A world with the feed; the images are scanned against it.
fn world() -> World {
    let world = World::new();
    feed::write(&world, &feed::june());
    world
}

/// What a scan says, a fact a line.
fn said(world: &World, image: &Image) -> String {
    said_with(world, image, &[])
}

fn said_with(world: &World, image: &Image, more: &[&str]) -> String {
    image.write_layout(&world.path("image"));
    let run = world.plimsoll(&[&["scan", "oci:image", "--format", "json"], more].concat());
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
    let mut lines = facts(&report);
    lines.push(format!("exit {}", run.code));
    lines.join("\n")
}

fn facts(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut lines = Vec::new();
    let windows = &report["windows"];
    if windows.is_object() {
        let layer = report["image"]["layers"]
            .as_array()
            .and_then(|layers| layers.iter().position(|layer| layer["digest"] == windows["layer"]));
        let layer = layer.map_or("no layer".to_owned(), |at| format!("layer {at}"));
        lines.push(format!(
            "is {} {} {} by {}, {layer}",
            text(&windows["product_id"]),
            text(&report["distro"]["namespace"]),
            text(&windows["version"]),
            text(&windows["source"])
        ));
        for update in list(&windows["updates"]) {
            lines.push(format!("update {} {}", text(&update["name"]), text(&update["state"])));
        }
        for feature in list(&windows["features"]) {
            lines.push(format!("feature {}", text(&feature["name"])));
        }
    }
    for package in list(&report["packages"]) {
        lines.push(format!("has {} {}", text(&package["name"]), text(&package["version"])));
    }
    for finding in list(&report["findings"]) {
        let mut line = format!(
            "{} in {}: {} {}",
            text(&finding["id"]),
            text(&finding["package"]["name"]),
            finding["fixed_in"].as_str().unwrap_or("no fix"),
            text(&finding["update"])
        );
        for (field, word) in [("is_exploited", " exploited"), ("is_fix_ambiguous", " ambiguous")] {
            if finding[field] == true {
                line.push_str(word);
            }
        }
        if finding["scope"] != "image" {
            line.push_str(&format!(" ({})", text(&finding["scope"])));
        }
        lines.push(line);
    }
    for gap in list(&report["gaps"]) {
        lines.push(format!("gap {} of {}", text(&gap["kind"]), text(&gap["subject"])));
    }
    lines
}

#[test]
fn w1_a_base_image_alone() {
    insta::assert_snapshot!(said(&world(), &core_2022(2402)));
}

#[test]
fn w2_a_servicing_layer_with_a_differencing_hive() {
    let servicing =
        Layer::new().directory("Hives").file(DELTA, delta().value(CURRENT, "UBR", 2527_u32).build());
    let image = Image { os_version: Some("10.0.20348.2527".to_owned()), ..core_2022(2402) }
        .layer("Install update 10.0.20348.2527", &servicing);
    insta::assert_snapshot!(said(&world(), &image));
}

#[test]
fn w3_values_and_keys_that_are_gone() {
    let hive = system(20348, 2402, "Server Core")
        .value(&format!(r"{UNINSTALL}\OldTool"), "DisplayName", "OldTool")
        .value(&format!(r"{UNINSTALL}\OldTool"), "DisplayVersion", "1.0")
        .value(
            &format!(r"{PACKAGES}\Package_for_KB5036909~31bf3856ad364e35~amd64~~10.0.1.1"),
            "CurrentState",
            0x70_u32,
        );
    let servicing = delta()
        .value(CURRENT, "UBR", 5499_u32)
        .tombstone_value(CURRENT, "DisplayVersion")
        .tombstone_key(&format!(r"{UNINSTALL}\OldTool"))
        .value(&format!(r"{UNINSTALL}\NewTool"), "DisplayName", "NewTool")
        .value(&format!(r"{UNINSTALL}\NewTool"), "DisplayVersion", "2.1")
        .value(
            &format!(r"{PACKAGES}\Package_for_KB5036909~31bf3856ad364e35~amd64~~10.0.1.1"),
            "CurrentState",
            0x50_u32,
        )
        .value(
            &format!(r"{PACKAGES}\Package_for_RollupFix~31bf3856ad364e35~amd64~~20348.5499.1.5"),
            "CurrentState",
            0x70_u32,
        );
    let image = Image::windows(Some("10.0.20348.5499"))
        .layer(BASE, &Layer::new().file(SOFTWARE, hive.build()))
        .layer("Install update 10.0.20348.5499", &Layer::new().file(DELTA, servicing.build()));
    insta::assert_snapshot!(said(&world(), &image));
}

#[test]
fn w5_a_key_that_is_gone_and_comes_back() {
    let tool = format!(r"{UNINSTALL}\Tool");
    let first = delta().value(&tool, "DisplayName", "Tool").value(&tool, "DisplayVersion", "1");
    let second = delta().tombstone_key(&tool);
    let third = delta().value(&tool, "DisplayName", "Tool");
    let image = core_2022(2527)
        .layer("RUN install", &Layer::new().file(DELTA, first.build()))
        .layer("RUN remove", &Layer::new().file(DELTA, second.build()))
        .layer("RUN install", &Layer::new().file(DELTA, third.build()));
    insta::assert_snapshot!(said(&world(), &image));
}

#[test]
fn w6_the_utility_machine_is_another_windows() {
    let layer = base(20348, 2527, "Server Core")
        .file("UtilityVM/Files/Windows/System32/config/SOFTWARE", system(14393, 1, "Server").build());
    let image = Image::windows(Some("10.0.20348.2527")).layer(BASE, &layer);
    insta::assert_snapshot!(said(&world(), &image));
}

#[test]
fn w7_a_hotpatchs_number_is_no_fix() {
    insta::assert_snapshot!(said(&world(), &core_2022(2522)));
}

#[test]
fn w8_two_products_of_one_build() {
    let world = world();
    let all: Vec<String> = [
        (7462, "Server Core"),
        (32690, "Server Core"),
        (33158, "Server Core"),
        (8246, "Client"),
        (8245, "Client"),
    ]
    .iter()
    .map(|(revision, installation)| said(&world, &plain(26100, *revision, installation)))
    .collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn w9_a_fix_of_another_branch_counts_for_nothing() {
    insta::assert_snapshot!(said(&world(), &plain(26100, 4349, "Server Core")));
}

#[test]
fn w10_a_number_that_is_no_build() {
    let world = world();
    let all = [2402, 2527].map(|revision| said(&world, &core_2022(revision)));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn w11_what_the_image_claims_is_not_what_counts() {
    let world = world();
    let claim =
        |revision, claimed: &str| Image { os_version: Some(claimed.to_owned()), ..core_2022(revision) };
    let all =
        [claim(2402, "10.0.20348.2527"), claim(2527, "10.0.20348.2402")].map(|image| said(&world, &image));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn w15_nano_server_is_serviced_as_core() {
    let world = world();
    let all =
        ["Nano Server", "Whatever Comes"].map(|installation| said(&world, &plain(20348, 2402, installation)));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn w16_a_windows_that_nothing_names_is_not_clean() {
    let image = Image::windows(None).layer("COPY app", &Layer::new().file("Files/app/readme.txt", "x"));
    insta::assert_snapshot!(said(&world(), &image));
}

#[test]
fn w17_the_dotnet_framework_by_component_and_platform() {
    let world = world();
    let framework = |release: u32, clr: &str| {
        let hive = system(17763, 5458, "Server Core").value(
            r"Microsoft\NET Framework Setup\NDP\v4\Full",
            "Release",
            release,
        );
        let layer = Layer::new()
            .file(SOFTWARE, hive.build())
            .file("Files/Windows/Microsoft.NET/Framework64/v4.0.30319/clr.dll", pe::with_version(clr));
        Image::windows(Some("10.0.17763.5458")).layer("Apply image 10.0.17763.5458", &layer)
    };
    let all = [
        framework(528_449, "4.8.4584.8"),
        framework(528_449, "4.8.4500.0"),
        framework(528_449, "4.8.4644.0"),
        framework(461_814, "4.7.3468.0"),
    ]
    .map(|image| said(&world, &image));
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn w18_runtimes_side_by_side() {
    let shared = |version: &str| {
        format!(
            "Files/Program Files/dotnet/shared/Microsoft.NETCore.App/{version}/Microsoft.NETCore.App.deps.json"
        )
    };
    let layer = base(20348, 2527, "Server Core")
        .file(&shared("8.0.2"), r#"{"libraries":{}}"#)
        .file(&shared("8.0.3"), r#"{"libraries":{}}"#);
    let image = Image::windows(Some("10.0.20348.2527")).layer(BASE, &layer);
    insta::assert_snapshot!(said(&world(), &image));
}

#[test]
fn w19_a_build_without_support_is_not_silent() {
    insta::assert_snapshot!(said(&world(), &plain(19042, 1889, "Server Core")));
}

#[test]
fn w20_letters_do_not_count_and_what_is_removed_is_gone() {
    let lower = Layer::new()
        .file("files/WINDOWS/system32/CONFIG/software", system(20348, 2527, "Server Core").build())
        .file("Files/app/Lib/site-packages/flask-3.0.0.dist-info/METADATA", "Name: flask\nVersion: 3.0.0\n")
        .stream("Files/app/readme.txt", "Zone.Identifier", "[ZoneTransfer]")
        .junction("Files/Documents and Settings", r"C:\Users")
        .hard_link("Files/Windows/System32/notepad.exe", "Files/Windows/WinSxS/x/notepad.exe");
    let upper = Layer::new().whiteout("Files/APP/lib/site-packages/flask-3.0.0.dist-info");
    let world = world();
    let image = Image::windows(Some("10.0.20348.2527")).layer(BASE, &lower);
    let all = [said(&world, &image), said(&world, &image.layer("RUN del", &upper))];
    insta::assert_snapshot!(all.join("\n\n"));
}

/// `What must be true`, 3: never clean, and undecided where there is no feed.
#[test]
fn a_base_that_cannot_be_had_leaves_a_claim() {
    let world = world();
    let app = Layer::new().file(DELTA, delta().build());
    let image = Image::windows(Some("10.0.20348.2402"))
        .layer(BASE, &base(20348, 2402, "Server Core"))
        .foreign(&["http://169.254.169.254/latest"])
        .layer("RUN app", &app);
    let with = said(&world, &image);
    let off = "[feeds.\"*\"]\nenabled = false\n";
    world.write("off.toml", off);
    let without = said_with(&world, &image, &["--config", "off.toml"]);
    insta::assert_snapshot!(format!("{with}\n\n{without}"));
}
