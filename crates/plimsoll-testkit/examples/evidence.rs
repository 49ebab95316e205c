//! Writes the samples of the PKI of the first seed into FOLDER/TARGET/, by the fuzz target that reads them.

use std::fs;
use std::path::Path;

use plimsoll_testkit::pki::Pki;
use plimsoll_testkit::pki::samples::{SampleKind, samples};

fn main() {
    let folder = std::env::args().nth(1).expect("write `evidence FOLDER`");
    for sample in samples(&Pki::new(1)) {
        let target = match sample.kind {
            SampleKind::Bundle => "evidence_bundle",
            SampleKind::Cosign => "cosign_object",
            SampleKind::Statement => "statement",
            SampleKind::GcbPayload | SampleKind::GcbPae => "gcb_file",
        };
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        fs::write(folder.join(format!("seed-{}", sample.name)), sample.bytes).expect("it can be written");
    }
}
