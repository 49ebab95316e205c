//! What a bundle looks like, who signed it, and what is none.

use super::*;

/// The format is what other programs read: ustar in a fixed order.
#[test]
fn entries_come_in_order() {
    let a = Machine::with_feeds();
    fs::create_dir_all(a.data().join("trust/roots")).unwrap();
    fs::write(a.data().join("trust/roots/one.pem"), "one").unwrap();
    let key = SigningKey::generate().unwrap();
    let bundle = a.export(Content::Both, None, Some(&key));
    let mut names = Vec::new();
    let mut at = 0;
    while bundle[at] != 0 {
        let text = |range: std::ops::Range<usize>| {
            let field = &bundle[at + range.start..at + range.end];
            std::str::from_utf8(field).unwrap().trim_end_matches('\0').to_owned()
        };
        assert_eq!((text(257..262), text(136..147)), ("ustar".to_owned(), "00000000000".to_owned()));
        let size = usize::from_str_radix(&text(124..135), 8).unwrap();
        names.push(text(0..100));
        at += 512 + size.next_multiple_of(512);
    }
    assert_eq!(bundle.len(), at + 1024);
    let expected = [
        "bundle.json",
        "bundle.sig",
        "feeds/alpine-secdb/v3.20-main.json.zst",
        "feeds/alpine-secdb/v3.21-main.json.zst",
        "feeds/kev/known_exploited_vulnerabilities.json",
        "database.plimsoll.zst",
        "trust/roots/one.pem",
    ];
    assert_eq!(
        names.iter().map(|name| name.trim_end_matches(".zst")).collect::<Vec<_>>(),
        expected.map(|name| name.trim_end_matches(".zst"))
    );
    let b = Machine::new();
    // It says whom to trust: only a key that is known brings it in.
    let report = b.import(&bundle).unwrap();
    assert_eq!((report.files.len(), report.files_left_out), (0, vec!["trust/roots/one.pem".to_owned()]));
    assert!(!b.data().join("trust").exists());
    let report = b.import_with(&bundle, |options| options.keys = vec![key.public().clone()]).unwrap();
    assert_eq!((report.files, report.files_left_out.len()), (vec!["trust/roots/one.pem".to_owned()], 0));
    assert_eq!(fs::read(b.data().join("trust/roots/one.pem")).unwrap(), b"one");
}

#[test]
fn a_flipped_byte_anywhere_is_refused_and_changes_nothing() {
    let a = Machine::with_feeds();
    let key = SigningKey::generate().unwrap();
    let b = Machine::new();
    let bundle = a.export(Content::Both, None, Some(&key));
    b.import(&bundle).unwrap();
    a.write_kev(2, "2025-12-31T00:00:00Z");
    a.write_secdb("v3.21", "1.1-r0");
    a.update(BOTH_FEEDS, 3).unwrap();
    let since = Manifest::read(&TarBundle::new(bundle.as_slice()).head().unwrap().manifest).unwrap();
    let mut bundle = a.export(Content::Both, Some(since), Some(&key));
    let before = b.content();
    let import = |bundle: &[u8]| {
        b.import_with(bundle, |options| {
            options.keys = vec![key.public().clone()];
            options.allows_unsigned = false;
        })
    };
    for at in 0..bundle.len() {
        bundle[at] ^= 1 << (at % 8);
        let mut read = TarBundle::new(bundle.as_slice());
        let refused = read.head().and_then(|head| {
            keys::verify(&head.manifest, head.signature.as_deref(), &[key.public().clone()], false)?;
            inspect(&mut TarBundle::new(bundle.as_slice()))
        });
        assert!(refused.is_err(), "byte {at}");
        if at % 97 == 0 {
            assert!(import(&bundle).is_err(), "byte {at}");
            assert!(b.content() == before, "byte {at}");
        }
        bundle[at] ^= 1 << (at % 8);
    }
    for length in (0..bundle.len()).step_by(509).chain([bundle.len() - 1]) {
        assert!(import(&bundle[..length]).is_err(), "cut to {length}");
    }
    assert_eq!(b.content(), before);
    for more in [vec![0], vec![0; 512], vec![b'x'; 700]] {
        assert!(import(&[bundle.clone(), more].concat()).is_err());
    }
    assert_eq!(b.content(), before);
    assert_eq!(words(&import(&bundle).unwrap()), "1 new 1 old, 1 new 0 old, delivered");
    assert_eq!(b.database(), a.database());
}

#[test]
fn who_signed_is_demanded_and_named() {
    let a = Machine::with_feeds();
    let b = Machine::new();
    let [ours, other] = [(), ()].map(|()| SigningKey::generate().unwrap());
    let signed = a.export(Content::Raw, None, Some(&ours));
    let unsigned = a.export(Content::Raw, None, None);
    // Signed by another key that says it is ours.
    let export = a.prepare(Content::Raw, None, Some(&other)).unwrap();
    let forged = String::from_utf8(export.head().signature.clone().unwrap()).unwrap();
    let forged = forged.replace(other.public().id(), ours.public().id());
    let head = Head { manifest: export.head().manifest.clone(), signature: Some(forged.into_bytes()) };
    drop(export);
    let mut forged = Vec::new();
    tar::Writer(&mut forged).head(&head).unwrap();
    let keys = |keys: &[&SigningKey]| keys.iter().map(|key| key.public().clone()).collect::<Vec<_>>();
    let table = [
        ("no key is configured", &signed, keys(&[]), false, "no keys are configured"),
        ("another key is", &signed, keys(&[&other]), false, "is not among those that may sign"),
        ("nobody signed", &unsigned, keys(&[&ours]), false, "the bundle is not signed"),
        ("forged", &forged, keys(&[&ours, &other]), false, "signature is not by key"),
        ("forged, and unsigned ones are let in", &forged, keys(&[&ours]), true, "signature is not by key"),
    ];
    for (name, bundle, keys, allows_unsigned, expected) in table {
        let error = b.import_with(bundle, |options| {
            (options.keys, options.allows_unsigned) = (keys.clone(), allows_unsigned);
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        for key in keys.iter().filter(|_| name == "another key is") {
            assert!(error.contains(key.id()) && error.contains(ours.public().id()), "{error}");
        }
        assert!(b.content().is_empty(), "{name}");
    }
    let signer = |bundle, key: &SigningKey, allows_unsigned| {
        let options = |options: &mut ImportOptions| {
            (options.keys, options.allows_unsigned) = (keys(&[key]), allows_unsigned);
        };
        b.import_with(bundle, options).unwrap().signer
    };
    assert_eq!(signer(&signed, &ours, false).as_deref(), Some(ours.public().id()));
    assert_eq!(signer(&signed, &other, true), None);
    assert_eq!(signer(&unsigned, &other, true), None);
}

#[test]
fn a_manifest_is_held_to_the_format() {
    let a = Machine::with_feeds();
    let manifest = a.prepare(Content::Raw, None, None).unwrap().manifest().clone();
    let check = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest.clone();
        change(&mut manifest);
        manifest.id = manifest.right_id();
        Manifest::read(&manifest.bytes()).unwrap_err().to_string()
    };
    let payload = |manifest: &mut Manifest, change: &dyn Fn(&mut Payload)| {
        change(part(manifest).payload.as_mut().unwrap());
    };
    type Change<'a> = &'a dyn Fn(&mut Manifest);
    let table: &[(Change<'_>, &str)] = &[
        (&|m| m.format = 2, "bundle format 2"),
        (&|m| m.created_at = "yesterday".to_owned(), "`created_at` is no time"),
        (&|m| m.base = Some("x".to_owned()), "`base` is no id"),
        (&|m| m.content = Content::Built, "it has no parts, or should not"),
        (&|m| m.content = Content::Both, "it lacks the database"),
        (&|m| m.feeds.reverse(), "its feeds are not in order"),
        (&|m| m.feeds[0].parts.reverse(), "its parts are not in order"),
        (&|m| m.feeds[0].name = "../etc".to_owned(), "that is no name of a feed"),
        (&|m| m.feeds[0].checked_at = Some("soon".to_owned()), "one of its dates is no time"),
        (&|m| m.feeds[0].title = "x".repeat(9000), "its texts are too long"),
        (&|m| part(m).name = "../../x".to_owned(), "that cannot be a file name"),
        (&|m| part(m).name = ".staged".to_owned(), "that cannot be a file name"),
        (&|m| part(m).name = "state.json".to_owned(), "that cannot be a file name"),
        (&|m| part(m).bytes = 9 << 30, "it is too large"),
        (&|m| part(m).sha256 = "0".repeat(63), "its digest is none"),
        (&|m| part(m).is_absent = true, "it is absent and yet there"),
        (&|m| part(m).payload = None, "leaves out payloads and names no bundle"),
        (&|m| payload(m, &|p| p.entry = "feeds/kev/x".to_owned()), "its entry is another feed's"),
        (&|m| payload(m, &|p| p.entry = "feeds/alpine-secdb/../x".to_owned()), "no safe name"),
        (&|m| payload(m, &|p| p.entry = "bundle.sig".to_owned()), "no safe name"),
        (&|m| payload(m, &|p| p.entry = format!("feeds/alpine-secdb/{}", "x".repeat(101))), "no safe name"),
        (&|m| payload(m, &|p| p.bytes = 9 << 30), "it is too large"),
        (&|m| m.feeds[1].parts[0].payload.as_mut().unwrap().is_compressed = false, "another size or digest"),
        (&|m| payload(m, &|p| p.entry = "feeds/alpine-secdb/v3.21-main.json.zst".to_owned()), "two entries"),
        (&|m| m.database.as_mut().unwrap().id = "1".to_owned(), "database: its id is none"),
        (&|m| m.files = vec![file("../x")], "does not belong in a bundle"),
        (&|m| m.files = vec![file("database.plimsoll")], "does not belong in a bundle"),
        (&|m| m.files = vec![file("trust/.hidden")], "does not belong in a bundle"),
    ];
    for (change, expected) in table {
        let error = check(change);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let text = String::from_utf8(manifest.bytes()).unwrap();
    for (from, to, expected) in [
        ("{\n", "{ \n", "not written as this program writes it"),
        ("\"format\": 1", "\"format\": 1,\n  \"more\": 2", "unknown field `more`"),
        ("Alpine", "alpine", "its id is not that of its content"),
    ] {
        let error = Manifest::read(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

/// The first part that is there.
fn part(manifest: &mut Manifest) -> &mut PartEntry {
    manifest.feeds[0].parts.iter_mut().find(|part| !part.is_absent).unwrap()
}

fn file(path: &str) -> FileEntry {
    FileEntry { path: path.to_owned(), bytes: 0, sha256: "0".repeat(64), payload: None }
}

#[test]
fn names_that_have_no_room_in_a_header() {
    let long = "x".repeat(150);
    let a = Machine::with_feeds();
    let folder = crate::snapshots::Folder::of(&a.data().join("snapshots"), "alpine-secdb");
    let mut state = folder.state();
    let part = state.parts.remove("v3.21-main.json").unwrap();
    state.parts.insert(long.clone(), part);
    fs::rename(folder.part("v3.21-main.json"), folder.part(&long)).unwrap();
    folder.write_state(&state).unwrap();
    let b = Machine::new();
    b.import(&a.export(Content::Raw, None, None)).unwrap();
    assert!(b.data().join("snapshots/alpine-secdb").join(&long).exists());
}

#[test]
fn key_files() {
    let folder = tempfile::tempdir().unwrap();
    let (key, private_path, public_path) = write_pair(&folder.path().join("site")).unwrap();
    assert_eq!(PublicKey::read(&public_path).unwrap(), key);
    assert_eq!(SigningKey::read(&private_path).unwrap().public(), &key);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&private_path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let error = |path: &Path| PublicKey::read(path).unwrap_err().to_string();
    assert!(error(&private_path).contains("it is the private key"));
    assert!(SigningKey::read(&public_path).unwrap_err().to_string().contains("it is the public key"));
    assert!(matches!(write_pair(&folder.path().join("site")), Err(KeyError::Exists(_))));
    fs::remove_file(&private_path).unwrap();
    assert!(
        matches!(write_pair(&folder.path().join("site")), Err(KeyError::Exists(path)) if path == public_path)
    );
    assert!(!private_path.exists());
    let line = fs::read_to_string(&public_path).unwrap();
    let swapped = line.replace(key.id(), "0000000000000000");
    for (text, expected) in [("", "one line"), ("ssh-ed25519 a b c", "one line"), (&swapped, "its id is not")]
    {
        fs::write(&public_path, text).unwrap();
        assert!(error(&public_path).contains(expected), "{text}");
    }
    let cut = line.trim_end().strip_suffix("=").unwrap();
    fs::write(&public_path, cut).unwrap();
    assert!(error(&public_path).contains("no Ed25519 key"));
}

#[test]
fn what_is_no_bundle_is_said() {
    let b = Machine::new();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let clair = br#"{"Updater":"debian/updater","Kind":"vulnerability"}"#;
    let table: [(&[u8], &str); 7] = [
        (b"", "it is too short"),
        (b"bundle.json", "it is too short"),
        (&[b'x'; 2000], "it does not begin with `bundle.json`"),
        (&gzip(b"bundle.json"), "it is too short"),
        (clair, "Clair"),
        (&gzip(clair), "Clair"),
        (&zstd::bulk::compress(clair, 1).unwrap(), "Clair"),
    ];
    for (bytes, expected) in table {
        let error = b.import(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert!(b.content().is_empty());
}

/// A bundle that an earlier version wrote.
#[test]
fn the_format_stays_what_it_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/bundles");
    let bundle = fs::read(folder.join("kev.bundle")).unwrap();
    let b = Machine::new();
    let report = b.import_with(&bundle, |options| {
        options.keys = vec![PublicKey::read(&folder.join("ours.pub")).unwrap()];
        (options.allows_unsigned, options.allows_older) = (false, false);
    });
    let report = report.unwrap();
    assert_eq!(report.signer.as_deref(), Some("3a866032c3c2d288"));
    assert_eq!(words(&report), "1 new 0 old, 1 new 0 old, built");
    assert_eq!(report.feeds[1].data_date.as_deref(), Some("2026-01-01T00:00:00Z"));
}
