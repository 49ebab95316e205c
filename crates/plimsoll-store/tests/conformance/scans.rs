//! From submission to a final state, one worker at a time.

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{
    Change, Child, Claim, Outcome, Priority, Progress, Scan, ScanFilter, ScanKind, Store, Submission,
};

use crate::scenes::{any, asked, at, claimed, completed, deb, digest, done, inventory, judged, named};

crate::scenarios! {
    a_submission_is_queued_once,
    what_is_more_urgent_moves_forward,
    a_name_that_is_being_resolved_is_found_again,
    a_name_leads_to_a_scan,
    an_index_leads_to_its_images,
    an_index_is_asked_for_again_with_what_it_lacks,
    outcomes_lead_to_states,
    what_ended_is_queued_again_where_it_should,
    attempts_end,
    what_is_handed_back_does_not_count,
    feeds_are_awaited,
    other_rules_scan_again,
    what_cannot_be_scanned_again_stands,
    what_is_forced_is_looked_at_again,
    a_scan_is_of_every_repository_that_asked,
    that_an_image_is_in_too_many_repositories_is_told,
    what_somebody_says_is_not_what_a_registry_shows,
    cancelling_takes_effect_at_once_or_at_the_next_beat,
    finishing_twice_is_finishing_once,
    what_is_forgotten_is_gone,
    scans_are_listed,
    secrets_go_with_the_end,
    texts_from_outside_are_kept_as_far_as_they_can_be,
    several_at_once_are_as_one_by_one,
}

fn scan(store: &Store, byte: u8) -> Scan {
    store.scan(digest(byte).as_str()).expect("it answers").expect("it is known")
}

fn a_submission_is_queued_once(store: &Store, _: &str) {
    let first = store.submit(&asked(1), at(0)).unwrap();
    assert_eq!((first.is_new, first.is_queued), (true, true));
    let scan = first.scan;
    assert_eq!((scan.state, scan.reason, scan.position), (ScanState::Queued, Reason::Asked, Some(0)));
    assert_eq!((scan.id.as_str(), scan.kind), (digest(1).as_str(), ScanKind::Image));
    assert_eq!((scan.attempt, scan.attempts_max, scan.queued_at, scan.since), (0, 3, at(0), at(0)));
    let second = store.submit(&asked(1), at(1)).unwrap();
    assert_eq!((second.is_new, second.is_queued, second.scan.queued_at), (false, false, at(0)));
    let other = store.submit(&asked(2), at(2)).unwrap();
    assert_eq!((other.is_new, other.scan.position), (true, Some(1)));
    assert!(store.scan("sha256:none").unwrap().is_none());
    // What is returned is what is found later, to the last digit.
    let now = at(3) + jiff::SignedDuration::from_nanos(123_456_789);
    let third = store.submit(&asked(3), now).unwrap().scan;
    let found = store.scan(&third.id).unwrap().unwrap();
    assert_eq!(format!("{third:?}"), format!("{found:?}"));
}

fn what_is_more_urgent_moves_forward(store: &Store, _: &str) {
    let watched = |byte| Submission { priority: Priority::Watched, reason: Reason::Watched, ..asked(byte) };
    store.submit(&watched(1), at(0)).unwrap();
    store.submit(&watched(2), at(1)).unwrap();
    assert_eq!(scan(store, 2).position, Some(1));
    store.submit(&Submission { source: b"newer".to_vec(), ..asked(2) }, at(2)).unwrap();
    let moved = scan(store, 2);
    assert_eq!((moved.position, moved.priority, moved.queued_at), (Some(0), Priority::Asked, at(1)));
    // What is less urgent moves nothing back.
    store.submit(&Submission { source: b"newest".to_vec(), ..watched(2) }, at(3)).unwrap();
    assert_eq!(scan(store, 2).priority, Priority::Asked);
    let first = store.claim(&any("w", 60), at(4)).unwrap().unwrap();
    assert_eq!((first.scan.id.as_str(), first.source.as_slice()), (digest(2).as_str(), &b"newest"[..]));
    // The first one has no other before it any more.
    assert_eq!(scan(store, 1).position, Some(0));
    assert_eq!(scan(store, 2).position, None);
}

fn a_name_that_is_being_resolved_is_found_again(store: &Store, _: &str) {
    let first = store.submit(&named("registry.example/shop/web:1"), at(0)).unwrap();
    assert!(first.is_new && first.scan.id.starts_with("ref-") && first.scan.id.len() == 36, "{first:?}");
    assert_eq!((first.scan.kind, first.scan.digest), (ScanKind::Reference, None));
    let again = store.submit(&named("registry.example/shop/web:1"), at(1)).unwrap();
    assert_eq!((again.is_new, &again.scan.id), (false, &first.scan.id));
    let other = store.submit(&named("registry.example/shop/web:2"), at(1)).unwrap();
    assert!(other.is_new && other.scan.id != first.scan.id);
    // Also while a worker has it.
    let claimed = store.claim(&any("w", 60), at(2)).unwrap().unwrap();
    assert_eq!(claimed.scan.id, first.scan.id);
    let again = store.submit(&named("registry.example/shop/web:1"), at(3)).unwrap();
    assert_eq!(again.scan.id, first.scan.id);
    // Once it is resolved, it may lead elsewhere.
    assert!(store.finish(&claimed.lease, &Outcome::Resolved(Box::new(asked(1))), at(4)).unwrap());
    let after = store.submit(&named("registry.example/shop/web:1"), at(5)).unwrap();
    assert!(after.is_new && after.scan.id != first.scan.id);
}

fn a_name_leads_to_a_scan(store: &Store, _: &str) {
    let name = store.submit(&named("registry.example/shop/web:1"), at(0)).unwrap().scan;
    let lease = store.claim(&any("w", 60), at(1)).unwrap().unwrap().lease;
    assert!(store.finish(&lease, &Outcome::Resolved(Box::new(named("x"))), at(2)).is_err());
    assert!(store.finish(&lease, &Outcome::Resolved(Box::new(asked(1))), at(2)).unwrap());
    let name = store.scan(&name.id).unwrap().unwrap();
    assert_eq!(name.successor.as_deref(), Some(digest(1).as_str()));
    assert_eq!(
        (name.state, name.reason, name.digest),
        (ScanState::Completed, Reason::Complete, Some(digest(1)))
    );
    assert_eq!(scan(store, 1).state, ScanState::Queued);
}

fn an_index_leads_to_its_images(store: &Store, _: &str) {
    done(store, 3, Vec::new());
    store.submit(&Submission { kind: ScanKind::Digest, ..asked(1) }, at(10)).unwrap();
    let lease = store.claim(&any("w", 60), at(11)).unwrap().unwrap().lease;
    let child = |byte, platform: &str, is_attestation| Child {
        digest: digest(byte),
        platform: platform.to_owned(),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size: 1000 + u64::from(byte),
        is_attestation,
    };
    let children = vec![child(3, "linux/arm64", false), child(2, "linux/amd64", false), child(4, "", true)];
    let submissions = vec![asked(3), asked(2)];
    let outcome = Outcome::Index { children: children.clone(), submissions };
    assert!(store.finish(&lease, &outcome, at(12)).unwrap());
    let index = scan(store, 1);
    assert_eq!(
        (index.kind, index.state, &index.children),
        (ScanKind::Index, ScanState::Completed, &children)
    );
    assert_eq!(index.index_state.as_deref(), Some("rules-1"));
    assert_eq!(scan(store, 2).state, ScanState::Queued);
    // What is known already is not scanned again.
    assert_eq!(scan(store, 3).state, ScanState::Completed);
    assert!(store.scan(digest(4).as_str()).unwrap().is_none());
    // An index that is known is not read again, but for a repository that has not shown its images yet.
    let again = |repository: &str| Submission {
        kind: ScanKind::Digest,
        repository: repository.to_owned(),
        ..asked(1)
    };
    assert!(!store.submit(&again("shop/web"), at(13)).unwrap().is_queued);
    assert!(store.submit(&again("team/web"), at(14)).unwrap().is_queued);
}

/// Whoever asks for an index again asks for those of its images again that were not to be had.
fn an_index_is_asked_for_again_with_what_it_lacks(store: &Store, _: &str) {
    let index = Submission { kind: ScanKind::Digest, ..asked(9) };
    let children = [1, 2].map(|byte| Child {
        digest: digest(byte),
        platform: "linux/amd64".to_owned(),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size: 1,
        is_attestation: false,
    });
    let outcome = Outcome::Index { children: children.into(), submissions: vec![asked(1), asked(2)] };
    let read = |now: i64| {
        let claimed = store.claim(&Claim { only: Some(digest(9).as_str()), ..any("w", 60) }, at(now));
        assert!(store.finish(&claimed.unwrap().unwrap().lease, &outcome, at(now)).unwrap());
    };
    store.submit(&index, at(0)).unwrap();
    read(1);
    done(store, 1, Vec::new());
    let lack: [&dyn Fn(); 3] = [
        &|| {
            let lease = claimed(store, 2).lease;
            let detail = String::new();
            let ended = Outcome::Ended { state: ScanState::Failed, reason: Reason::NotFound, detail };
            assert!(store.finish(&lease, &ended, at(3)).unwrap());
        },
        &|| assert!(store.cancel(digest(2).as_str(), at(3)).unwrap()),
        &|| assert!(store.forget(digest(2).as_str(), at(3)).unwrap()),
    ];
    for lack in lack {
        assert!(!store.submit(&index, at(2)).unwrap().is_queued);
        lack();
        assert!(store.submit(&index, at(4)).unwrap().is_queued);
        read(5);
        assert_eq!([scan(store, 1).state, scan(store, 2).state], [ScanState::Completed, ScanState::Queued]);
    }
}

fn outcomes_lead_to_states(store: &Store, _: &str) {
    let ended = |state, reason| Outcome::Ended { state, reason, detail: "why".to_owned() };
    let retry = Outcome::Retry { reason: Reason::RateLimited, detail: "later".to_owned(), at: at(90) };
    let awaiting = Outcome::Awaiting {
        inventory: Box::new(inventory(7, Vec::new())),
        reason: Reason::FeedsAwaited,
        awaited: vec!["debian-tracker".to_owned()],
        detail: "no feeds".to_owned(),
    };
    let table = [
        (
            1,
            ended(ScanState::Unsupported, Reason::ArtifactType),
            ScanState::Unsupported,
            Reason::ArtifactType,
        ),
        (2, ended(ScanState::Failed, Reason::NotFound), ScanState::Failed, Reason::NotFound),
        (3, ended(ScanState::Cancelled, Reason::ByRequest), ScanState::Cancelled, Reason::ByRequest),
        (4, retry, ScanState::Retrying, Reason::RateLimited),
        (5, Outcome::HandedBack, ScanState::Queued, Reason::HandedBack),
        (6, completed(inventory(6, vec![deb("a", "1")])), ScanState::Completed, Reason::Complete),
        (7, awaiting, ScanState::FeedsNotLoaded, Reason::FeedsAwaited),
    ];
    for (byte, outcome, state, reason) in table {
        let lease = claimed(store, byte).lease;
        let change = |state| Change { state, detail: "on its way".to_owned(), kind: None };
        for on_the_way in [ScanState::Indexing, ScanState::Matching] {
            assert!(store.advance(&lease, &change(on_the_way), at(2)).unwrap());
            let scan = scan(store, byte);
            assert_eq!((scan.state, scan.detail.as_str(), scan.since), (on_the_way, "on its way", at(2)));
        }
        let progress = Progress { layers_done: 1, layers: 2, bytes_done: 3, bytes: u64::from(u32::MAX) + 1 };
        assert!(store.beat(&lease, at(70), Some(progress), at(3)).unwrap().is_held);
        assert_eq!(scan(store, byte).progress, Some(progress));
        assert!(store.beat(&lease, at(70), None, at(3)).unwrap().is_held);
        assert_eq!(scan(store, byte).progress, Some(progress));
        assert!(store.finish(&lease, &outcome, at(5)).unwrap());
        let scan = scan(store, byte);
        assert_eq!((scan.state, scan.reason, scan.since), (state, reason, at(5)), "{byte}");
        assert_eq!(scan.finished_at, state.is_final().then(|| at(5)));
        assert_eq!(scan.progress, None);
        assert!(!store.advance(&lease, &change(ScanState::Matching), at(6)).unwrap());
        assert!(!store.beat(&lease, at(90), None, at(6)).unwrap().is_held);
    }
    let completed = scan(store, 6);
    assert_eq!((completed.judged, completed.index_state.as_deref()), (Some(judged()), Some("rules-1")));
    assert_eq!(
        (scan(store, 4).retry_at, scan(store, 7).awaited),
        (Some(at(90)), vec!["debian-tracker".to_owned()])
    );
}

fn what_ended_is_queued_again_where_it_should(store: &Store, _: &str) {
    let ended = |state, reason| Outcome::Ended { state, reason, detail: String::new() };
    let forced = |byte| Submission { is_forced: true, ..asked(byte) };
    let other_rules = |byte| Submission { index_state: "rules-2".to_owned(), ..asked(byte) };
    let unsupported = ended(ScanState::Unsupported, Reason::ArtifactType);
    let table = [
        (1, completed(inventory(1, Vec::new())), asked(1), false),
        (2, completed(inventory(2, Vec::new())), forced(2), true),
        (3, completed(inventory(3, Vec::new())), other_rules(3), true),
        (4, ended(ScanState::Failed, Reason::NotFound), asked(4), true),
        (5, ended(ScanState::Cancelled, Reason::ByRequest), asked(5), true),
        (6, unsupported.clone(), asked(6), false),
        (7, unsupported, other_rules(7), true),
    ];
    for (byte, outcome, submission, is_queued) in table {
        let lease = claimed(store, byte).lease;
        assert!(store.finish(&lease, &outcome, at(5)).unwrap());
        let again = store.submit(&submission, at(6)).unwrap();
        assert_eq!((again.is_new, again.is_queued), (false, is_queued), "{byte}");
        if is_queued {
            let scan = again.scan;
            assert_eq!((scan.state, scan.attempt, scan.started_at), (ScanState::Queued, 0, None));
            assert_eq!((scan.queued_at, scan.finished_at, scan.detail.as_str()), (at(6), None, ""));
        }
    }
}

fn attempts_end(store: &Store, _: &str) {
    store.submit(&asked(1), at(0)).unwrap();
    for attempt in 1..=3_u32 {
        let now = i64::from(attempt) * 10;
        let claimed = store.claim(&any("w", now + 5), at(now)).unwrap().unwrap();
        assert_eq!((claimed.scan.attempt, claimed.scan.started_at), (attempt, Some(at(10))));
        let outcome = Outcome::Retry {
            reason: Reason::RegistryUnavailable,
            detail: "502".to_owned(),
            at: at(now + 10),
        };
        assert!(store.finish(&claimed.lease, &outcome, at(now + 1)).unwrap());
        // Not before its time.
        assert!(store.claim(&any("w", now + 5), at(now + 9)).unwrap().is_none());
    }
    let scan = scan(store, 1);
    assert_eq!((scan.state, scan.reason), (ScanState::Failed, Reason::AttemptsExhausted));
    assert_eq!((scan.detail.as_str(), scan.retry_at), ("502", None));
    assert!(store.claim(&any("w", 100), at(99)).unwrap().is_none());
}

fn what_is_handed_back_does_not_count(store: &Store, _: &str) {
    store.submit(&Submission { attempts_max: 1, ..asked(1) }, at(0)).unwrap();
    for now in [1, 2, 3] {
        let claimed = store.claim(&any("w", 60), at(now)).unwrap().unwrap();
        assert_eq!((claimed.scan.attempt, claimed.source.as_slice()), (1, &b"token"[..]));
        assert!(store.finish(&claimed.lease, &Outcome::HandedBack, at(now)).unwrap());
        let scan = scan(store, 1);
        assert_eq!((scan.state, scan.attempt, scan.queued_at), (ScanState::Queued, 0, at(0)));
    }
}

fn feeds_are_awaited(store: &Store, _: &str) {
    let lease = claimed(store, 1).lease;
    let outcome = Outcome::Awaiting {
        inventory: Box::new(inventory(1, vec![deb("a", "1")])),
        reason: Reason::NoDatabase,
        awaited: vec!["x".to_owned()],
        detail: String::new(),
    };
    assert!(store.finish(&lease, &outcome, at(2)).unwrap());
    assert!(store.claim(&any("w", 60), at(3)).unwrap().is_none());
    assert!(store.inventory(&digest(1)).unwrap().is_some());
    assert!(!store.submit(&asked(1), at(4)).unwrap().is_queued);
    // Not before its time: what comes back to wait is not woken at once.
    assert_eq!(store.wake_awaiting(at(2), at(5)).unwrap(), 0);
    assert_eq!(store.wake_awaiting(at(5), at(5)).unwrap(), 1);
    assert_eq!(store.wake_awaiting(at(5), at(5)).unwrap(), 0);
    let woken = scan(store, 1);
    assert_eq!((woken.state, woken.awaited, woken.attempt), (ScanState::Queued, Vec::new(), 0));
    assert_eq!(woken.index_state.as_deref(), Some("rules-1"));
    let lease = store.claim(&any("w", 60), at(6)).unwrap().unwrap().lease;
    assert!(store.finish(&lease, &completed(inventory(1, vec![deb("a", "1")])), at(7)).unwrap());
}

fn other_rules_scan_again(store: &Store, _: &str) {
    for byte in [1, 2, 3] {
        let lease = claimed(store, byte).lease;
        let end = at(10 + i64::from(byte));
        assert!(store.finish(&lease, &completed(inventory(byte, Vec::new())), end).unwrap());
    }
    assert_eq!(store.queue_rescans("rules-1", 10, at(20)).unwrap(), 0);
    assert_eq!(store.queue_rescans("rules-2", 2, at(20)).unwrap(), 2);
    let states = [1, 2, 3].map(|byte| scan(store, byte).state);
    assert_eq!(states, [ScanState::Completed, ScanState::Queued, ScanState::Queued]);
    let queued = scan(store, 3);
    assert_eq!((queued.reason, queued.priority), (Reason::Rescan, Priority::Rescan));
    // What was found before stays until there is something better.
    assert_eq!(queued.judged, Some(judged()));
    assert_eq!(store.queue_rescans("rules-2", 10, at(21)).unwrap(), 1);
    assert_eq!(store.queue_rescans("rules-2", 10, at(22)).unwrap(), 0);
}

/// Logins go with the end of a scan, so that an image may be out of reach when the rules are others.
fn what_cannot_be_scanned_again_stands(store: &Store, _: &str) {
    let ended = |state| Outcome::Ended { state, reason: Reason::Unauthorized, detail: "401".to_owned() };
    let retry = Outcome::Retry { reason: Reason::RateLimited, detail: "later".to_owned(), at: at(21) };
    let failed = (ScanState::Completed, Reason::WithGaps, "could not be read again by newer rules");
    for (byte, outcome, expected) in [
        (1, ended(ScanState::Failed), failed),
        (2, retry, failed),
        (3, ended(ScanState::Unsupported), (ScanState::Unsupported, Reason::Unauthorized, "401")),
    ] {
        store.submit(&Submission { attempts_max: 1, ..asked(byte) }, at(0)).unwrap();
        done(store, byte, Vec::new());
        assert_eq!(store.queue_rescans("rules-2", 10, at(20)).unwrap(), 1);
        let lease = store.claim(&any("w", 60), at(21)).unwrap().unwrap().lease;
        assert!(store.finish(&lease, &outcome, at(22)).unwrap());
        let scan = scan(store, byte);
        assert_eq!((scan.state, scan.reason), (expected.0, expected.1), "{byte}");
        assert!(scan.detail.contains(expected.2), "{}", scan.detail);
        assert_eq!(scan.judged, Some(judged()));
        // Once, and not again and again; but who asks is heard.
        assert_eq!(store.queue_rescans("rules-2", 10, at(23)).unwrap(), 0);
        let newer = Submission { index_state: "rules-2".to_owned(), ..asked(byte) };
        assert_eq!(store.submit(&newer, at(24)).unwrap().is_queued, byte != 3);
        store.forget(digest(byte).as_str(), at(25)).unwrap();
    }
}

fn what_is_forced_is_looked_at_again(store: &Store, _: &str) {
    done(store, 1, Vec::new());
    let index_state = |store: &Store| store.inventory(&digest(1)).unwrap().unwrap().index_state;
    assert_eq!(index_state(store), "rules-1");
    assert!(!store.submit(&asked(1), at(10)).unwrap().is_queued);
    assert_eq!(index_state(store), "rules-1");
    let forced = Submission { is_forced: true, ..asked(1) };
    assert!(store.submit(&forced, at(11)).unwrap().is_queued);
    // It is there as long as there is nothing better, and no worker takes it for today's.
    assert_eq!(index_state(store), "");
}

fn a_scan_is_of_every_repository_that_asked(store: &Store, _: &str) {
    let place = |registry: &str, repository: &str| (registry.to_owned(), repository.to_owned());
    let of = |repository: &str| Submission { repository: repository.to_owned(), ..asked(1) };
    let registry = asked(1).registry;
    for repository in ["team/b", "team/a", "team/b", ""] {
        store.submit(&of(repository), at(0)).unwrap();
    }
    let id = digest(1).as_str().to_owned();
    let places = vec![place(&registry, "team/a"), place(&registry, "team/b")];
    assert_eq!(store.places(&id).unwrap(), places);
    assert_eq!(store.places("sha256:none").unwrap(), []);
    store.submit(&asked(2), at(0)).unwrap();
    store.submit(&Submission { repository: String::new(), ..asked(3) }, at(0)).unwrap();
    let digests = [3, 2, 1, 1, 9].map(digest);
    let several = store.places_of(&digests.each_ref().map(|digest| digest.as_str())).unwrap();
    let expected = [(1, places.clone()), (2, vec![place(&registry, "shop/web")])];
    assert_eq!(several, expected.map(|(byte, places)| (digest(byte).as_str().to_owned(), places)).into());
    assert!(store.places_of(&[]).unwrap().is_empty());
    for (repository, found) in [("team/a", 1), ("team/b", 1), ("team/c", 0)] {
        let repository = repository.to_owned();
        let filter = ScanFilter { repository, rows_max: 9, ..ScanFilter::default() };
        assert_eq!(store.scans(&filter).unwrap().len(), found, "{}", filter.repository);
    }
    assert!(store.forget(&id, at(1)).unwrap());
    assert_eq!(store.places(&id).unwrap(), []);
}

fn that_an_image_is_in_too_many_repositories_is_told(store: &Store, _: &str) {
    let of = |number: u32| Submission { repository: format!("team/{number}"), ..asked(1) };
    for number in 0..1_000 {
        assert!(store.submit(&of(number), at(0)).unwrap().is_place_noted, "{number}");
    }
    assert!(!store.submit(&of(1_000), at(1)).unwrap().is_place_noted);
    assert!(store.submit(&of(999), at(1)).unwrap().is_place_noted);
    let name = Submission { repository: "team/1000".to_owned(), ..named("registry.example/team/1000:1") };
    let id = store.submit(&name, at(2)).unwrap().scan.id;
    let claim = Claim { only: Some(&id), ..any("w", 60) };
    let lease = store.claim(&claim, at(3)).unwrap().unwrap().lease;
    assert!(store.finish(&lease, &Outcome::Resolved(Box::new(of(1_000))), at(4)).unwrap());
    let scan = store.scan(&id).unwrap().unwrap();
    assert_eq!((scan.state, scan.successor), (ScanState::Failed, None));
    assert!(scan.detail.contains("of 1000 repositories"), "{}", scan.detail);
}

/// A manifest that is handed in with its layers comes without a reference, and nothing proves its digest.
fn what_somebody_says_is_not_what_a_registry_shows(store: &Store, _: &str) {
    let said = |byte| Submission {
        reference: String::new(),
        repository: String::new(),
        source: b"layers".to_vec(),
        ..asked(byte)
    };
    let claim = |byte: u8, now: i64| {
        let only = digest(byte);
        store.claim(&Claim { only: Some(only.as_str()), ..any("w", 60) }, at(now)).unwrap().unwrap()
    };
    let finish = |byte: u8, lease: &plimsoll_store::Lease, now: i64| {
        store.finish(lease, &completed(inventory(byte, Vec::new())), at(now)).unwrap()
    };
    let failed = Outcome::Ended { state: ScanState::Failed, reason: Reason::NotFound, detail: String::new() };
    // What waits for its registry goes on waiting for it.
    store.submit(&asked(1), at(0)).unwrap();
    store.submit(&said(1), at(1)).unwrap();
    assert_eq!(claim(1, 2).source, b"token");

    // What was handed in is asked of the registry where there is one: waiting, at work, or done.
    store.submit(&said(2), at(0)).unwrap();
    assert!(store.submit(&asked(2), at(1)).unwrap().is_queued);
    let proving = claim(2, 2);
    assert_eq!((proving.source.as_slice(), proving.scan.repository.as_str()), (&b"token"[..], "shop/web"));
    store.submit(&said(3), at(0)).unwrap();
    let said_first = claim(3, 1).lease;
    assert!(store.submit(&asked(3), at(2)).unwrap().is_queued);
    assert!(!finish(3, &said_first, 3));
    assert_eq!(claim(3, 4).source, b"token");
    store.submit(&said(4), at(0)).unwrap();
    assert!(finish(4, &claim(4, 1).lease, 2));
    assert!(!store.submit(&said(4), at(3)).unwrap().is_queued);
    assert!(store.submit(&asked(4), at(4)).unwrap().is_queued);
    assert_eq!(store.inventory(&digest(4)).unwrap().unwrap().index_state, "");
    assert!(finish(4, &claim(4, 5).lease, 6));
    for again in [said(4), asked(4)] {
        assert!(!store.submit(&again, at(7)).unwrap().is_queued);
    }

    // Where the registry does not show it, it is what somebody says, as it was before.
    store.submit(&said(6), at(0)).unwrap();
    assert!(finish(6, &claim(6, 1).lease, 2));
    assert!(store.submit(&asked(6), at(3)).unwrap().is_queued);
    assert!(store.finish(&claim(6, 4).lease, &failed, at(5)).unwrap());
    assert!(store.submit(&said(6), at(6)).unwrap().is_queued);
    assert_eq!((scan(store, 6).reference.as_str(), scan(store, 6).judged), ("", None));

    // What no registry could show is not called its.
    store.submit(&asked(5), at(0)).unwrap();
    assert!(store.finish(&claim(5, 1).lease, &failed, at(2)).unwrap());
    let named_by_an_index = Submission { repository: String::new(), ..asked(5) };
    assert!(!store.submit(&named_by_an_index, at(3)).unwrap().is_queued);
    assert_eq!(store.places(digest(5).as_str()).unwrap().len(), 1);
    assert!(store.submit(&said(5), at(3)).unwrap().is_queued);
    assert!(finish(5, &claim(5, 4).lease, 5));
    assert_eq!((scan(store, 5).reference.as_str(), store.places(digest(5).as_str()).unwrap().len()), ("", 0));
    assert!(store.submit(&asked(5), at(6)).unwrap().is_queued);
}

fn cancelling_takes_effect_at_once_or_at_the_next_beat(store: &Store, _: &str) {
    assert!(!store.cancel("sha256:none", at(0)).unwrap());
    store.submit(&asked(1), at(0)).unwrap();
    assert!(store.cancel(digest(1).as_str(), at(1)).unwrap());
    let scan_1 = scan(store, 1);
    assert_eq!((scan_1.state, scan_1.reason), (ScanState::Cancelled, Reason::ByRequest));
    assert!(!store.cancel(digest(1).as_str(), at(2)).unwrap());
    assert!(store.claim(&any("w", 60), at(2)).unwrap().is_none());

    let ended =
        Outcome::Ended { state: ScanState::Cancelled, reason: Reason::ByRequest, detail: String::new() };
    let retry = Outcome::Retry { reason: Reason::TimedOut, detail: String::new(), at: at(90) };
    for (byte, outcome) in [(2, ended), (3, retry), (4, Outcome::HandedBack)] {
        let lease = claimed(store, byte).lease;
        assert!(!store.beat(&lease, at(60), None, at(2)).unwrap().is_cancelled);
        assert!(store.cancel(digest(byte).as_str(), at(3)).unwrap());
        assert_eq!(scan(store, byte).state, ScanState::Fetching);
        let beat = store.beat(&lease, at(60), None, at(4)).unwrap();
        assert!(beat.is_held && beat.is_cancelled);
        assert!(store.finish(&lease, &outcome, at(5)).unwrap());
        assert_eq!(scan(store, byte).state, ScanState::Cancelled, "{byte}");
        // Asked for again, nobody remembers that it was called off.
        store.submit(&asked(byte), at(6)).unwrap();
        let lease = store.claim(&any("w", 60), at(7)).unwrap().unwrap().lease;
        assert!(!store.beat(&lease, at(60), None, at(8)).unwrap().is_cancelled);
        assert!(store.finish(&lease, &completed(inventory(byte, Vec::new())), at(9)).unwrap());
    }
    // What it leads to is called off with it.
    let index = Outcome::Index { children: Vec::new(), submissions: vec![asked(8)] };
    for (byte, outcome) in [(6, Outcome::Resolved(Box::new(asked(8)))), (7, index)] {
        let lease = claimed(store, byte).lease;
        assert!(store.cancel(digest(byte).as_str(), at(3)).unwrap());
        assert!(store.finish(&lease, &outcome, at(5)).unwrap());
        let ended = scan(store, byte);
        assert_eq!((ended.state, ended.successor), (ScanState::Cancelled, None), "{byte}");
        assert!(store.scan(digest(8).as_str()).unwrap().is_none());
    }
    // A worker that is gone does not delay it.
    let lease = claimed(store, 5).lease;
    assert!(store.cancel(digest(5).as_str(), at(61)).unwrap());
    assert_eq!(scan(store, 5).state, ScanState::Cancelled);
    assert!(!store.beat(&lease, at(99), None, at(62)).unwrap().is_held);
    assert!(!store.finish(&lease, &Outcome::HandedBack, at(62)).unwrap());
}

fn finishing_twice_is_finishing_once(store: &Store, _: &str) {
    let lease = claimed(store, 1).lease;
    let outcome = completed(inventory(1, Vec::new()));
    assert!(store.finish(&lease, &outcome, at(5)).unwrap());
    let events = store.last_event().unwrap();
    assert!(store.finish(&lease, &outcome, at(6)).unwrap());
    assert_eq!((scan(store, 1).since, store.last_event().unwrap()), (at(5), events));
    // Somebody else's lease is heard no more.
    store.submit(&Submission { is_forced: true, ..asked(1) }, at(7)).unwrap();
    store.claim(&any("w", 60), at(8)).unwrap().unwrap();
    assert!(!store.finish(&lease, &outcome, at(9)).unwrap());
    assert_eq!(scan(store, 1).state, ScanState::Fetching);
}

fn what_is_forgotten_is_gone(store: &Store, _: &str) {
    done(store, 1, vec![deb("a", "1")]);
    let tag = plimsoll_store::Tag {
        registry: "r".to_owned(),
        repository: "p".to_owned(),
        tag: "t".to_owned(),
        digest: digest(1),
        since: at(0),
        seen_at: at(0),
    };
    store.note_tags(&[tag], at(0)).unwrap();
    assert!(store.forget(digest(1).as_str(), at(6)).unwrap());
    assert!(!store.forget(digest(1).as_str(), at(6)).unwrap());
    assert!(store.scan(digest(1).as_str()).unwrap().is_none());
    assert!(store.inventory(&digest(1)).unwrap().is_none());
    assert!(store.repositories(None, 9).unwrap().is_empty());
    let mut images = 0;
    store.images_with(&[1, 2, 3], &mut |_, _| images += 1).unwrap();
    assert_eq!(images, 0);
    // A worker's lease goes with the scan.
    let lease = claimed(store, 2).lease;
    assert!(store.forget(digest(2).as_str(), at(6)).unwrap());
    assert!(!store.beat(&lease, at(60), None, at(7)).unwrap().is_held);
    assert!(!store.finish(&lease, &completed(inventory(2, Vec::new())), at(7)).unwrap());
    assert!(store.inventory(&digest(2)).unwrap().is_none());
}

fn scans_are_listed(store: &Store, _: &str) {
    for byte in [3, 1, 2] {
        let repository = if byte == 2 { "shop/other" } else { "shop/web" };
        store.submit(&Submission { repository: repository.to_owned(), ..asked(byte) }, at(0)).unwrap();
    }
    store.cancel(digest(3).as_str(), at(1)).unwrap();
    let all = ScanFilter { rows_max: 10, ..ScanFilter::default() };
    let ids = |filter: &ScanFilter| -> Vec<u8> {
        let found = store.scans(filter).unwrap();
        let byte = |scan: Scan| u8::from_str_radix(&scan.id[7..9], 16).unwrap();
        found.into_iter().map(byte).collect()
    };
    assert_eq!(ids(&all), [1, 2, 3]);
    assert_eq!(ids(&ScanFilter { rows_max: 2, ..all.clone() }), [1, 2]);
    let after = ScanFilter { after: Some(digest(1).as_str().to_owned()), ..all.clone() };
    assert_eq!(ids(&after), [2, 3]);
    let cancelled = ScanFilter { state: Some(ScanState::Cancelled), ..all.clone() };
    assert_eq!(ids(&cancelled), [3]);
    let web = ScanFilter { repository: "shop/web".to_owned(), ..all.clone() };
    assert_eq!(ids(&web), [1, 3]);
    let other = ScanFilter { state: Some(ScanState::Queued), registry: "registry.example".to_owned(), ..web };
    assert_eq!(ids(&other), [1]);
    assert!(ids(&ScanFilter { registry: "else".to_owned(), ..all.clone() }).is_empty());
    let within = |filter: &ScanFilter, wanted: &str| -> usize {
        store.scans_within(filter, &|_, repository| repository == wanted).unwrap().len()
    };
    for (filter, wanted, count) in [
        (&all, "shop/web", 2),
        (&all, "shop/other", 1),
        (&all, "shop/none", 0),
        (&cancelled, "shop/web", 1),
        (&cancelled, "shop/other", 0),
        (&ScanFilter { rows_max: 1, ..after }, "shop/web", 1),
    ] {
        assert_eq!(within(filter, wanted), count, "{wanted} {filter:?}");
    }
}

fn secrets_go_with_the_end(store: &Store, _: &str) {
    let held = claimed(store, 1);
    assert_eq!(held.source, b"token");
    assert!(!format!("{held:?} {:?}", asked(1)).contains("116, 111"));
    assert!(store.finish(&held.lease, &completed(inventory(1, Vec::new())), at(5)).unwrap());
    assert_eq!(store.queue_rescans("rules-2", 1, at(6)).unwrap(), 1);
    let only = digest(1);
    let again = store.claim(&Claim { only: Some(only.as_str()), ..any("w", 60) }, at(7)).unwrap().unwrap();
    assert_eq!(again.source, b"");
    for event in store.events(0, 100, std::time::Duration::ZERO).unwrap() {
        assert!(!event.body.contains("token"), "{event:?}");
    }
}

fn texts_from_outside_are_kept_as_far_as_they_can_be(store: &Store, _: &str) {
    let reference = "r/p:\0'\"\\{}$1 ü\u{1f600}\u{1}";
    let scan = store.submit(&named(reference), at(0)).unwrap().scan;
    let kept = reference.replace('\0', "\u{fffd}");
    assert_eq!(scan.reference, kept);
    assert_eq!(store.scan(&scan.id).unwrap().unwrap().reference, kept);
    assert_eq!(store.submit(&named(reference), at(1)).unwrap().scan.id, scan.id);
    let lease = store.claim(&any("w\0", 60), at(1)).unwrap().unwrap().lease;
    let outcome =
        Outcome::Ended { state: ScanState::Failed, reason: Reason::Corrupt, detail: "\0\u{fffe}".to_owned() };
    assert!(store.finish(&lease, &outcome, at(2)).unwrap());
    let event = store.events(2, 1, std::time::Duration::ZERO).unwrap().pop().unwrap();
    assert!(event.body.contains("\u{fffe}"), "{event:?}");
}

/// Scans in all that the store alone knows of: a place in the queue, children, what was found, how far it is.
fn several_at_once_are_as_one_by_one(store: &Store, _: &str) {
    assert!(store.scans_of(&[]).unwrap().is_empty());
    assert!(store.scans_of(&[digest(1).as_str()]).unwrap().is_empty());
    done(store, 1, vec![deb("a", "1")]);
    let child = |byte, platform: &str| Child {
        digest: digest(byte),
        platform: platform.to_owned(),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size: u64::from(u32::MAX) + u64::from(byte),
        is_attestation: platform.is_empty(),
    };
    // In the order of the indexes, which is not that of the digests.
    let children =
        [vec![child(9, "linux/arm64"), child(1, "linux/amd64"), child(8, "")], vec![child(1, "linux/amd64")]];
    for (byte, children) in [2, 3].into_iter().zip(children) {
        let outcome = Outcome::Index { children, submissions: Vec::new() };
        assert!(store.finish(&claimed(store, byte).lease, &outcome, at(5)).unwrap());
    }
    let progress = Progress { layers_done: 1, layers: 2, bytes_done: 3, bytes: 4 };
    assert!(store.beat(&claimed(store, 4).lease, at(70), Some(progress), at(3)).unwrap().is_held);
    for (byte, priority, queued_at) in
        [(5, Priority::Asked, 30), (6, Priority::Rescan, 10), (7, Priority::Asked, 20)]
    {
        store.submit(&Submission { priority, ..asked(byte) }, at(queued_at)).unwrap();
    }
    let name = store.submit(&named("registry.example/shop/web:1"), at(40)).unwrap().scan.id;
    let digests: Vec<String> = (1..=7).chain([99]).map(|byte| digest(byte).as_str().to_owned()).collect();
    // Some twice, and in no order.
    let ids: Vec<&str> =
        digests.iter().rev().map(String::as_str).chain([name.as_str(), digests[1].as_str()]).collect();
    let several = store.scans_of(&ids).unwrap();
    assert_eq!(several.len(), 8);
    for (id, found) in &several {
        assert_eq!(format!("{found:?}"), format!("{:?}", store.scan(id).unwrap().unwrap()));
    }
    let position = |id: &str| several[id].position;
    let of_digests = digests[3..7].iter().map(|id| position(id)).collect::<Vec<_>>();
    assert_eq!((of_digests, position(&name)), (vec![None, Some(1), Some(3), Some(0)], Some(2)));
    let platforms =
        |id: &str| several[id].children.iter().map(|child| child.platform.as_str()).collect::<Vec<_>>();
    assert_eq!(platforms(&digests[1]), ["linux/arm64", "linux/amd64", ""]);
    assert_eq!(platforms(&digests[2]), ["linux/amd64"]);
    assert_eq!(several[&digests[3]].progress, Some(progress));
    // What is not asked for is not there.
    assert_eq!(store.scans_of(&[&digests[4]]).unwrap().into_keys().collect::<Vec<_>>(), [digests[4].clone()]);
}
