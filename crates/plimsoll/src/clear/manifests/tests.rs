//! Manifests as people write them, and each way in which they are wrong.

use std::fs;

use super::*;

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn thick(text: &str) -> Manifest {
    one_file(Kind::Thick, "m.yaml", text.replace("DIGEST", DIGEST).as_bytes())
}

const REGISTRIES: &str = "registries:
- name: h.example/from
  src: true
- name: h.example/to
  service-account: x@y.example
";

#[test]
fn a_thick_manifest_is_read() {
    let manifest = thick(&format!(
        "{REGISTRIES}images:\n- name: charts/app\n  dmap:\n    \"DIGEST\": [\"1.1\", 1.10, latest]\n- name: empty\n"
    ));
    assert_eq!(manifest.faults, []);
    assert_eq!(manifest.source.as_deref(), Some("h.example/from"));
    assert_eq!(manifest.destinations, ["h.example/to"]);
    assert_eq!(manifest.lines.len(), 1);
    // As it is written: 1.10 is not 1.1.
    assert_eq!(manifest.lines[0].tags, ["1.1", "1.10", "latest"]);
}

#[test]
fn faults_are_told_and_select_nothing_silently() {
    let with = |images: &str| format!("{REGISTRIES}images:\n{images}");
    for (text, kind, detail) in [
        (
            with("- name: app\n  dmap: {\"sha256:12\": [\"1\"]}\n"),
            FaultKind::Syntax,
            "`sha256:12` is not a digest",
        ),
        (with("- name: app\n  dmap: {DIGESTx: [\"1\"]}\n"), FaultKind::Syntax, "is not a digest"),
        (with("- name: app\n  dmap: {DIGEST: [\"a b\"]}\n"), FaultKind::Syntax, "`a b` is not a tag"),
        (with("- name: app\n  dmap: {DIGEST: [], DIGEST: []}\n"), FaultKind::Syntax, "duplicate"),
        (with("- name: app\n  dnap: {}\n"), FaultKind::Syntax, "dnap"),
        (with("- name: app\n- name: app\n"), FaultKind::Duplicate, "`app` is listed twice"),
        (with("- name: app\n  dmap: {DIGEST: [a, a]}\n"), FaultKind::Duplicate, "lists the tag `a`"),
        (with("- name: ../other/app\n"), FaultKind::Scope, "is not a repository"),
        (with("- name: /app\n"), FaultKind::Scope, "is not a repository"),
        (
            "registries: [{name: h.example/a}]\nimages: []\n".to_owned(),
            FaultKind::Syntax,
            "0 registries have",
        ),
        (
            "registries: [{name: h.example/a, src: true}]\nimages: []\n".to_owned(),
            FaultKind::Syntax,
            "no registry is one to promote to",
        ),
        ("images: []\n".to_owned(), FaultKind::Syntax, "registries"),
        ("- a: [\n".to_owned(), FaultKind::Syntax, "line"),
    ] {
        let manifest = thick(&text);
        let fault = manifest.faults.first().unwrap_or_else(|| panic!("no fault: {text}"));
        assert_eq!(fault.kind, kind, "{text}: {fault:?}");
        assert!(fault.detail.contains(detail), "{text}: {fault:?}");
    }
}

#[test]
fn a_list_is_read() {
    let text =
        format!("# ours\nfrom h.example/a\nto h.example/b # one\nto h.example/c\n\nx/app {DIGEST} 1 1.0\n");
    let manifest = one_file(Kind::List, "list", text.as_bytes());
    assert_eq!(manifest.faults, []);
    assert_eq!(manifest.destinations, ["h.example/b", "h.example/c"]);
    assert_eq!((manifest.lines[0].image.as_str(), manifest.lines[0].tags.len()), ("x/app", 2));
    for (text, detail) in [
        ("x/app sha256:1\nfrom h.example/a\n", "is not a digest"),
        ("from h.example/a\nfrom h.example/b\n", "line 2: write"),
        ("from h.example/a\napp\n", "line 2: write"),
        ("to h.example/a\n", "no line `from PREFIX`"),
    ] {
        let manifest = one_file(Kind::List, "list", text.as_bytes());
        assert!(
            manifest.faults.iter().any(|fault| fault.detail.contains(detail)),
            "{text}: {:?}",
            manifest.faults
        );
    }
}

#[test]
fn thin_manifests_come_in_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("DIGEST", DIGEST)).unwrap();
    };
    let read = || super::read(Kind::Thin, folder.path(), &Files::default());
    assert!(read().unwrap_err().to_string().contains("has no thin manifests"));
    write("manifests/a/promoter-manifest.yaml", &format!("{REGISTRIES}imagesPath: ignored\n"));
    write("images/a/images.yaml", "- name: app\n  dmap: {DIGEST: [\"1\"]}\n");
    write("images/b/images.yaml", "- name: app\n  dmap: {sha256:bad: [\"1\"]}\n");
    write("images/OWNERS", "nobody");
    let manifests = read().unwrap();
    let told: Vec<(&str, usize, usize)> =
        manifests.iter().map(|one| (one.project.as_str(), one.lines.len(), one.faults.len())).collect();
    assert_eq!(told, [("a", 1, 0), ("b", 0, 2)]);
    let kinds: Vec<FaultKind> = manifests[1].faults.iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, [FaultKind::Scope, FaultKind::Syntax]);
}
