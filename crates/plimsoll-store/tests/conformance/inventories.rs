//! What is aboard, and packages over the fleet.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::ecosystems;
use plimsoll_core::inventory::{Package, Release};
use plimsoll_store::{InventoryRow, Judged, Outcome, PackageRow, Store, StoreError};

use crate::scenes::{asked, at, claimed, completed, deb, digest, done, inventory, judged, python};

crate::scenarios! {
    inventories_come_back_whole,
    an_inventory_is_of_its_image,
    packages_are_numbered_once,
    packages_are_found_by_what_they_are_looked_up_by,
    packages_that_are_judged_apart_are_apart,
    images_are_found_by_their_packages,
    judgements_are_noted_later,
    names_of_any_length_are_found,
    many_number_the_same_packages_at_once,
    every_package_is_handed_out_once,
    when_an_image_was_indexed_is_known_without_its_inventory,
}

fn inventories_come_back_whole(store: &Store, _: &str) {
    let mut row = inventory(1, vec![deb("a\0", "1:2~"), python("B", "1", Some("a\0"))]);
    row.inventory.packages[1].layer = None;
    row.inventory.packages[0].module = Some(String::new());
    let lease = claimed(store, 1).lease;
    assert!(store.finish(&lease, &completed(row.clone()), at(5)).unwrap());
    let back = store.inventory(&digest(1)).unwrap().unwrap();
    assert_eq!(format!("{back:?}"), format!("{row:?}"));
    let empty = InventoryRow {
        inventory: plimsoll_core::inventory::Inventory::default(),
        ..inventory(2, Vec::new())
    };
    let lease = claimed(store, 2).lease;
    assert!(store.finish(&lease, &completed(empty.clone()), at(5)).unwrap());
    assert_eq!(format!("{:?}", store.inventory(&digest(2)).unwrap().unwrap()), format!("{empty:?}"));
    assert!(store.inventory(&digest(3)).unwrap().is_none());
}

fn an_inventory_is_of_its_image(store: &Store, _: &str) {
    let lease = claimed(store, 1).lease;
    let wrong = store.finish(&lease, &completed(inventory(2, Vec::new())), at(5));
    assert!(matches!(wrong, Err(StoreError::Refused(_))), "{wrong:?}");
    assert!(store.finish(&lease, &completed(inventory(1, Vec::new())), at(5)).unwrap());
}

fn named(store: &Store, names: &[(&str, &str)]) -> Vec<PackageRow> {
    let names: Vec<_> =
        names.iter().map(|(namespace, name)| ((*namespace).to_owned(), (*name).to_owned())).collect();
    let mut found = Vec::new();
    store.packages_named(&names, &mut |package| found.push(package)).unwrap();
    found
}

fn packages_are_numbered_once(store: &Store, _: &str) {
    // The same package elsewhere in the image, under another licence, in another layer.
    let elsewhere =
        Package { evidence_path: "/other".to_owned(), licenses: Vec::new(), layer: None, ..deb("a", "1") };
    done(store, 1, vec![deb("a", "1"), deb("b", "1"), elsewhere.clone()]);
    done(store, 2, vec![elsewhere]);
    assert_eq!(store.counts().unwrap().packages, 2);
    let found = named(store, &[("debian:12", "a-src")]);
    assert_eq!(found.len(), 1);
    let expected =
        Package { evidence_path: String::new(), licenses: Vec::new(), layer: None, ..deb("a", "1") };
    assert_eq!(found[0].package, expected);
    assert!(
        matches!(&found[0].release, Some(Release { distro, release }) if distro.id == "debian" && release == "12")
    );
    // Another scan of the same image changes what it has.
    store.submit(&plimsoll_store::Submission { is_forced: true, ..asked(1) }, at(9)).unwrap();
    let lease = store.claim(&crate::scenes::any("w", 60), at(9)).unwrap().unwrap().lease;
    assert!(store.finish(&lease, &completed(inventory(1, vec![deb("c", "1")])), at(9)).unwrap());
    let number = found[0].number;
    let mut images = Vec::new();
    store.images_with(&[number], &mut |image, _| images.push(image)).unwrap();
    assert_eq!(images, [digest(2)]);
}

fn packages_are_found_by_what_they_are_looked_up_by(store: &Store, _: &str) {
    let bare = Package { source: None, ..deb("bare", "1") };
    let gem = Package { ecosystem: &ecosystems::GEM, ..python("Rails", "1", None) };
    let half = Package { ecosystem: &ecosystems::MAVEN, ..python("artifact-alone", "1", None) };
    let strange = Package { ecosystem: &ecosystems::RPM, ..deb("strange", "1") };
    let packages = vec![
        deb("a", "1"),
        bare,
        python("Zope.Interface", "1", None),
        python("owned", "1", Some("a")),
        python("orphan", "1", Some("not-installed")),
        gem,
        half,
        strange,
    ];
    done(store, 1, packages);
    let of = |namespace, name| -> Vec<String> {
        named(store, &[(namespace, name)]).into_iter().map(|row| row.package.name).collect()
    };
    for (namespace, name, expected) in [
        ("debian:12", "a-src", "a"),
        ("debian:12", "a", ""),
        ("debian:11", "a-src", ""),
        ("debian:12", "bare", "bare"),
        ("pypi", "zope-interface", "Zope.Interface"),
        ("pypi", "Zope.Interface", ""),
        ("pypi", "owned", ""),
        ("pypi", "orphan", "orphan"),
        ("gem", "Rails", "Rails"),
        ("maven", "artifact-alone", ""),
        ("debian:12", "strange-src", ""),
        ("", "", ""),
    ] {
        let expected: Vec<&str> = Some(expected).filter(|name| !name.is_empty()).into_iter().collect();
        assert_eq!(of(namespace, name), expected, "{namespace} {name}");
    }
    let twice = named(store, &[("debian:12", "a-src"), ("gem", "Rails"), ("debian:12", "a-src")]);
    assert_eq!(twice.len(), 2);
}

fn packages_that_are_judged_apart_are_apart(store: &Store, _: &str) {
    let other_release = |byte| {
        let mut row = inventory(byte, vec![deb("a", "1"), python("p", "1", None)]);
        if let Some(release) = &mut row.inventory.distro {
            release.release = "11".to_owned();
        }
        row
    };
    done(store, 1, vec![deb("a", "1"), python("p", "1", None)]);
    let lease = claimed(store, 2).lease;
    assert!(store.finish(&lease, &completed(other_release(2)), at(5)).unwrap());
    assert_eq!(named(store, &[("debian:12", "a-src"), ("debian:11", "a-src")]).len(), 2);
    // A distribution says nothing of language packages.
    assert_eq!(named(store, &[("pypi", "p")]).len(), 1);
    let apart = [
        Package { version: "2".to_owned(), ..deb("a", "1") },
        Package { architecture: Some("arm64".to_owned()), ..deb("a", "1") },
        Package { module: Some("m:1".to_owned()), ..deb("a", "1") },
        Package {
            source: Some(plimsoll_core::inventory::SourcePackage {
                name: "a-src".to_owned(),
                version: "9".to_owned(),
            }),
            ..deb("a", "1")
        },
    ];
    let before = store.counts().unwrap().packages;
    done(store, 3, apart.to_vec());
    assert_eq!(store.counts().unwrap().packages, before + 4);
    // One whose owner is judged is another one than one that is judged itself.
    done(store, 4, vec![deb("a", "1"), python("p", "1", Some("a"))]);
    assert_eq!(store.counts().unwrap().packages, before + 5);
    assert_eq!(named(store, &[("pypi", "p")]).len(), 1);
}

fn images_are_found_by_their_packages(store: &Store, _: &str) {
    // Package N is in the images whose number it divides.
    let mut fleet = BTreeMap::new();
    for image in 1..=30_u8 {
        let names = (1..=12_u8).filter(|package| image % package == 0);
        fleet.insert(image, names.clone().collect::<BTreeSet<u8>>());
        done(store, image, names.map(|package| deb(&package.to_string(), "1")).collect());
    }
    let mut numbers = BTreeMap::new();
    for package in 1..=12_u8 {
        let found = named(store, &[("debian:12", &format!("{package}-src"))]);
        numbers.insert(found[0].number, package);
    }
    for wanted in [vec![], vec![1], vec![7], vec![2, 3], vec![11, 12], (1..=12).collect::<Vec<u8>>()] {
        let mut sorted: Vec<u32> = numbers
            .iter()
            .filter(|(_, package)| wanted.contains(package))
            .map(|(number, _)| *number)
            .collect();
        sorted.push(u32::MAX);
        let mut found = Vec::new();
        store
            .images_with(&sorted, &mut |image, has| {
                assert!(has.is_sorted());
                found.push((image, has.iter().map(|number| numbers[number]).collect::<BTreeSet<u8>>()));
            })
            .unwrap();
        let naive: Vec<_> = fleet
            .iter()
            .map(|(image, has)| {
                (digest(*image), has.iter().copied().filter(|one| wanted.contains(one)).collect())
            })
            .filter(|(_, has): &(_, BTreeSet<u8>)| !has.is_empty())
            .collect();
        assert_eq!(found, naive, "{wanted:?}");
    }
}

fn judgements_are_noted_later(store: &Store, _: &str) {
    done(store, 1, vec![deb("a", "1")]);
    let later = Judged { database: "sha256:newer".to_owned(), at: at(99), ..judged() };
    store.note_judged(&digest(1), &later).unwrap();
    store.note_judged(&digest(2), &later).unwrap();
    let scan = store.scan(digest(1).as_str()).unwrap().unwrap();
    assert_eq!((scan.judged, scan.since), (Some(later), at(5)));
    assert!(store.scan(digest(2).as_str()).unwrap().is_none());
}

fn names_of_any_length_are_found(store: &Store, _: &str) {
    // No hash, and longer than any index takes.
    let noise = |seed: u32| -> String {
        let next = |last: &u32| Some(last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        let letters = std::iter::successors(Some(seed), next).take(20_000);
        letters.map(|number| char::from(b'a' + u8::try_from((number >> 16) % 26).unwrap())).collect()
    };
    let (one, other) = (noise(1), noise(2));
    done(store, 1, vec![python(&one, "1", None), python(&other, "1", None)]);
    let found = named(store, &[("pypi", &one)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].package.name, one);
}

fn many_number_the_same_packages_at_once(store: &Store, place: &str) {
    let other = Store::open(place).unwrap();
    let packages: Vec<Package> = (0..200).map(|number| deb(&format!("p{number}"), "1")).collect();
    let leases: Vec<_> = (1..=6).map(|byte| (byte, claimed(store, byte).lease)).collect();
    std::thread::scope(|scope| {
        for (byte, lease) in &leases {
            let (store, mut packages) = (if byte % 2 == 0 { store } else { &other }, packages.clone());
            packages.rotate_left(usize::from(*byte) * 30);
            let outcome: Outcome = completed(inventory(*byte, packages));
            scope.spawn(move || assert!(store.finish(lease, &outcome, at(5)).unwrap()));
        }
    });
    assert_eq!(store.counts().unwrap().packages, 200);
    let mut images = 0;
    let all: Vec<u32> = (0..10_000).collect();
    store
        .images_with(&all, &mut |_, has| {
            images += 1;
            assert_eq!(has.len(), 200);
        })
        .unwrap();
    assert_eq!(images, 6);
}

/// More than are asked for at once, and numbers with holes.
fn every_package_is_handed_out_once(store: &Store, _: &str) {
    let all = |store: &Store| {
        let mut found: Vec<PackageRow> = Vec::new();
        store.each_package(&mut |row| found.push(row)).unwrap();
        found
    };
    assert!(all(store).is_empty());
    let names: Vec<String> = (0..10_050).map(|number| format!("p{number}")).collect();
    done(store, 1, names.iter().map(|name| deb(name, "1")).collect());
    done(store, 2, vec![deb("p7", "1"), python("later", "1", None)]);
    done(store, 3, vec![deb("p7", "1")]);
    let found = all(store);
    assert!(found.is_sorted_by(|a, b| a.number < b.number));
    let mut handed_out: Vec<&str> = found.iter().map(|row| row.package.name.as_str()).collect();
    let mut expected: Vec<&str> = names.iter().map(String::as_str).chain(["later"]).collect();
    handed_out.sort_unstable();
    expected.sort_unstable();
    assert_eq!(handed_out, expected);
    let of = |name: &str| found.iter().find(|row| row.package.name == name).unwrap();
    assert_eq!(
        of("p7").package,
        Package { evidence_path: String::new(), licenses: Vec::new(), layer: None, ..deb("p7", "1") }
    );
    assert!(of("p7").release.as_ref().is_some_and(|release| release.release == "12"));
    assert_eq!(format!("{:?}", named(store, &[("pypi", "later")])), format!("{:?}", [of("later")]));
    store.forget(digest(1).as_str(), at(6)).unwrap();
    store.prune(at(7)).unwrap();
    let mut left: Vec<String> = all(store).into_iter().map(|row| row.package.name).collect();
    left.sort_unstable();
    assert_eq!(left, ["later", "p7"]);
}

fn when_an_image_was_indexed_is_known_without_its_inventory(store: &Store, _: &str) {
    store.submit(&asked(2), at(0)).unwrap();
    assert_eq!(store.indexed_at(&digest(2)).unwrap(), None);
    done(store, 1, vec![deb("a", "1")]);
    assert_eq!(store.indexed_at(&digest(1)).unwrap(), Some(at(4)));
    assert_eq!(
        store.indexed_at(&digest(1)).unwrap(),
        store.inventory(&digest(1)).unwrap().map(|row| row.indexed_at)
    );
    store.forget(digest(1).as_str(), at(6)).unwrap();
    assert_eq!(store.indexed_at(&digest(1)).unwrap(), None);
}
