//! Writes a Windows image of one base layer, to try things by hand:
//! `cargo run -p plimsoll-testkit --example windows_image -- FOLDER BUILD REVISION [INSTALLATION]`.

use std::path::Path;

use plimsoll_testkit::hive::Hive;
use plimsoll_testkit::image::Image;
use plimsoll_testkit::layer::Layer;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, build, revision, rest @ ..] = arguments.as_slice() else {
        panic!("name a folder, a build and a revision");
    };
    let current = r"Microsoft\Windows NT\CurrentVersion";
    let installation = rest.first().map_or("Server Core", String::as_str);
    let hive = Hive::base()
        .value(current, "CurrentBuild", build.as_str())
        .value(current, "UBR", revision.parse::<u32>().expect("a revision is a number"))
        .value(current, "InstallationType", installation);
    let layer = Layer::new().directory("Files").file("Files/Windows/System32/config/SOFTWARE", hive.build());
    let version = format!("10.0.{build}.{revision}");
    let image = Image::windows(Some(&version)).layer(&format!("Apply image {version}"), &layer);
    println!("{}", image.write_layout(Path::new(folder)));
}
