//! When there is a verdict. What it says is the policy's matter, and tested there.

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Child, Outcome, ScanKind, Submission};

use super::samples::{self, TestServer, digest, submission};

fn index_of(bytes: &[u8]) -> Outcome {
    let child = |byte: &u8| Child {
        digest: digest(*byte),
        platform: "linux/amd64".to_owned(),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size: 500,
        is_attestation: false,
    };
    Outcome::Index { children: bytes.iter().map(child).collect(), submissions: Vec::new() }
}

/// A verdict lets an image ship: it is of all that is meant, and of what was found last.
#[test]
fn there_is_no_verdict_before_everything_is_known() {
    let server = TestServer::new("", true);
    let failed = Outcome::Ended {
        state: ScanState::Failed,
        reason: Reason::NotFound,
        detail: "it is gone".to_owned(),
    };
    server.scanned(1, &samples::system());
    server.scanned(2, &samples::system());
    server
        .store
        .submit(&Submission { is_forced: true, ..submission(2, ScanKind::Image) }, samples::now())
        .unwrap();
    server.submit(3, ScanKind::Image);
    server.finish(4, ScanKind::Image, &failed);
    server.finish(0x10, ScanKind::Index, &index_of(&[1]));
    server.finish(0x11, ScanKind::Index, &index_of(&[1, 3]));
    server.finish(0x12, ScanKind::Index, &index_of(&[1, 2]));
    server.finish(0x13, ScanKind::Index, &index_of(&[1, 5]));
    for (what, byte, verdict, report) in [
        ("an image", 1, 200, 200),
        ("an image that is scanned again", 2, 409, 200),
        ("an image that waits", 3, 409, 409),
        ("an image that is not to be had", 4, 409, 409),
        ("an index", 0x10, 200, 200),
        ("an index with an image that waits", 0x11, 409, 200),
        ("an index with an image that is scanned again", 0x12, 409, 200),
        ("an index with an image that is not known", 0x13, 409, 200),
    ] {
        let ask = |path: &str| {
            let line = format!("GET /api/v1/scans/{}/{path}", digest(byte));
            let told = server.ask(&line, &[], "");
            (told.status.as_u16(), told.text().to_owned())
        };
        let told = ask("verdict?fail_on=critical&allow_gaps=true");
        assert_eq!(told.0, verdict, "{what}: {}", told.1);
        assert_eq!(ask("report").0, report, "{what}");
    }
}
