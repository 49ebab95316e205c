//! Clearances that are asked for: who gets them, what becomes of them, which are the same.

use std::time::Duration;

use plimsoll_core::clearance::Verdict;
use plimsoll_core::scan::Reason;
use plimsoll_store::{
    Decision, EventKind, Hearing, HearingFilter, HearingOutcome, HearingState, IsWithin, NewHearing, Report,
    Spoken, Store,
};

use crate::scenes::{at, digest};

crate::scenarios! {
    a_hearing_is_decided,
    the_same_inputs_are_one_hearing,
    what_could_not_be_decided_is_looked_at_again,
    attempts_end,
    a_lost_worker_is_not_heard,
    hearings_are_listed,
    failed_hearings_are_forgotten_and_decided_ones_are_not,
}

/// Somebody asks for a clearance.
pub(crate) fn asked(inputs: &str) -> NewHearing {
    NewHearing {
        inputs: inputs.to_owned(),
        policy: "production".to_owned(),
        asked_by: "token:ci".to_owned(),
        request: b"what\0".to_vec(),
        places: vec![
            ("r:5000".to_owned(), "shop/web".to_owned()),
            ("r:5000".to_owned(), "prod/web".to_owned()),
        ],
        attempts_max: 2,
        is_fresh: false,
    }
}

/// What is decided of a digest.
pub(crate) fn decision(byte: u8, verdict: Verdict) -> Decision {
    let spoken = |of: u8, place: &str| Spoken {
        digest: digest(of),
        subject: digest(byte),
        repositories: vec![place.to_owned()],
        verdict,
        why: vec!["ref.exists MISSING: it is \0 not there".to_owned()],
        signers: vec!["release".to_owned()],
    };
    Decision {
        verdict,
        holds_until: (verdict == Verdict::Cleared).then(|| at(1_000)),
        policy: "production".to_owned(),
        policies: vec![("production".to_owned(), digest(90))],
        database: Some("sha256:db".to_owned()),
        level: "content".to_owned(),
        spoken: vec![spoken(byte, "r:5000/shop/web"), spoken(byte + 100, "r:5000/prod/web")],
    }
}

/// The same with reports.
pub(crate) fn decided(byte: u8, verdict: Verdict) -> HearingOutcome {
    let report = |format: &str| Report {
        format: format.to_owned(),
        media_type: "text/plain".to_owned(),
        body: format!("{format} {byte}\0").into_bytes(),
    };
    HearingOutcome::Decided {
        decision: Box::new(decision(byte, verdict)),
        reports: vec![report("markdown"), report("json")],
        detail: "1 cleared".to_owned(),
    }
}

/// Asks for one, claims it and decides it.
pub(crate) fn done(store: &Store, inputs: &str, byte: u8, verdict: Verdict) -> Hearing {
    let (hearing, is_new) = store.ask(&asked(inputs), at(1)).unwrap();
    assert!(is_new);
    let claimed = store.claim_hearing("w", at(60), at(2)).unwrap().unwrap();
    assert_eq!(claimed.hearing.id, hearing.id);
    assert!(store.finish_hearing(&claimed.lease, &decided(byte, verdict), at(3)).unwrap());
    store.hearing(&hearing.id).unwrap().unwrap()
}

fn a_hearing_is_decided(store: &Store, _: &str) {
    let (asked_for, is_new) = store.ask(&asked("a"), at(1)).unwrap();
    assert!(is_new && asked_for.id.starts_with("clr-"));
    assert_eq!((asked_for.state, asked_for.reason), (HearingState::Queued, Reason::Asked));
    let places = [("r:5000", "prod/web"), ("r:5000", "shop/web")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(store.hearing_places(&asked_for.id).unwrap(), places);
    let claimed = store.claim_hearing("w", at(60), at(2)).unwrap().unwrap();
    assert_eq!(claimed.request, b"what\0");
    assert_eq!((claimed.hearing.state, claimed.hearing.attempt), (HearingState::Running, 1));
    assert!(store.claim_hearing("v", at(60), at(3)).unwrap().is_none(), "it is in hand");
    assert!(store.beat_hearing(&claimed.lease, at(90)).unwrap());
    assert!(store.finish_hearing(&claimed.lease, &decided(1, Verdict::Cleared), at(4)).unwrap());
    assert!(
        store.finish_hearing(&claimed.lease, &decided(1, Verdict::Cleared), at(5)).unwrap(),
        "once is enough"
    );
    assert_eq!(store.record_head().unwrap().number, 1);
    let hearing = store.hearing(&asked_for.id).unwrap().unwrap();
    assert_eq!((hearing.state, hearing.verdict), (HearingState::Decided, Some(Verdict::Cleared)));
    assert_eq!((hearing.record, hearing.holds_until), (Some(1), Some(at(1_000))));
    assert_eq!((hearing.started_at, hearing.finished_at), (Some(at(2)), Some(at(4))));
    let record = store.record(1).unwrap().unwrap();
    assert_eq!(record.hearing, hearing.id);
    let events = store.events(0, 10, Duration::ZERO).unwrap();
    let told: Vec<(EventKind, String)> = events
        .iter()
        .map(|event| {
            assert_eq!(event.subject, asked_for.id);
            let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
            assert_eq!(body["repositories"], serde_json::json!(["r:5000/prod/web", "r:5000/shop/web"]));
            (event.kind, format!("{} {} {}", body["state"], body["verdict"], body["record"]))
        })
        .collect();
    let told: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(told, ["\"queued\" null null", "\"running\" null null", "\"decided\" \"cleared\" 1"]);
}

fn the_same_inputs_are_one_hearing(store: &Store, _: &str) {
    let first = store.ask(&asked("a"), at(1)).unwrap().0;
    assert_eq!(store.ask(&asked("a"), at(2)).unwrap(), (first.clone(), false), "on its way");
    let claimed = store.claim_hearing("w", at(60), at(2)).unwrap().unwrap();
    assert_eq!(store.ask(&asked("a"), at(2)).unwrap().0.id, first.id);
    assert!(store.finish_hearing(&claimed.lease, &decided(1, Verdict::Cleared), at(3)).unwrap());
    assert_eq!(store.ask(&asked("a"), at(4)).unwrap().0.record, Some(1));
    assert!(store.ask(&asked("b"), at(4)).unwrap().1, "of other inputs");
    assert!(store.ask(&asked(""), at(4)).unwrap().1);
    assert!(store.ask(&asked(""), at(4)).unwrap().1, "what they are is not known yet");
    let fresh = NewHearing { is_fresh: true, ..asked("a") };
    assert!(store.ask(&fresh, at(5)).unwrap().1);
    // What ran out does not hold.
    let refused = done(store, "r", 2, Verdict::Refused);
    assert_eq!(store.ask(&asked("r"), at(9_000)).unwrap().0.id, refused.id, "a refusal does not run out");
    let other = done(store, "c", 3, Verdict::Cleared);
    assert_eq!(store.ask(&asked("c"), at(999)).unwrap().0.id, other.id);
    assert!(store.ask(&asked("c"), at(1_000)).unwrap().1);
}

fn what_could_not_be_decided_is_looked_at_again(store: &Store, _: &str) {
    done(store, "a", 1, Verdict::Undecided);
    assert!(store.ask(&asked("a"), at(4)).unwrap().1);
}

fn attempts_end(store: &Store, _: &str) {
    let id = store.ask(&asked("a"), at(1)).unwrap().0.id;
    let retry = |until: i64| HearingOutcome::Retry {
        reason: Reason::RegistryUnavailable,
        detail: "503".to_owned(),
        at: at(until),
    };
    let claimed = store.claim_hearing("w", at(60), at(2)).unwrap().unwrap();
    assert!(store.finish_hearing(&claimed.lease, &HearingOutcome::HandedBack, at(3)).unwrap());
    let claimed = store.claim_hearing("w", at(60), at(3)).unwrap().unwrap();
    assert_eq!(claimed.hearing.attempt, 1, "handing back is no attempt");
    assert!(store.finish_hearing(&claimed.lease, &retry(20), at(4)).unwrap());
    let hearing = store.hearing(&id).unwrap().unwrap();
    assert_eq!((hearing.state, hearing.retry_at), (HearingState::Retrying, Some(at(20))));
    assert!(store.claim_hearing("w", at(60), at(19)).unwrap().is_none());
    let claimed = store.claim_hearing("w", at(60), at(20)).unwrap().unwrap();
    assert!(store.finish_hearing(&claimed.lease, &retry(40), at(21)).unwrap());
    let hearing = store.hearing(&id).unwrap().unwrap();
    assert_eq!((hearing.state, hearing.reason), (HearingState::Failed, Reason::AttemptsExhausted));
    assert_eq!((hearing.detail.as_str(), hearing.record), ("503", None));
    assert!(store.ask(&asked("a"), at(22)).unwrap().1, "a failure is no answer");
}

fn a_lost_worker_is_not_heard(store: &Store, _: &str) {
    let id = store.ask(&asked("a"), at(1)).unwrap().0.id;
    let lost = store.claim_hearing("w", at(30), at(2)).unwrap().unwrap();
    let other = store.claim_hearing("v", at(90), at(30)).unwrap().unwrap();
    assert_eq!((other.hearing.id.as_str(), other.hearing.attempt), (id.as_str(), 2));
    assert!(!store.beat_hearing(&lost.lease, at(90)).unwrap());
    assert!(!store.finish_hearing(&lost.lease, &decided(1, Verdict::Cleared), at(31)).unwrap());
    assert_eq!(store.record_head().unwrap().number, 0);
    // The last attempt was lost too.
    assert!(store.claim_hearing("u", at(200), at(90)).unwrap().is_none());
    let hearing = store.hearing(&id).unwrap().unwrap();
    assert_eq!((hearing.state, hearing.reason), (HearingState::Failed, Reason::AttemptsExhausted));
    assert!(!store.finish_hearing(&other.lease, &decided(1, Verdict::Cleared), at(91)).unwrap());
}

fn hearings_are_listed(store: &Store, _: &str) {
    done(store, "a", 1, Verdict::Cleared);
    done(store, "b", 2, Verdict::Refused);
    let elsewhere =
        vec![("r:5000".to_owned(), "else".to_owned()), ("r:5000".to_owned(), "shop/web".to_owned())];
    store.ask(&NewHearing { places: elsewhere, ..asked("c") }, at(1)).unwrap();
    store.ask(&NewHearing { places: Vec::new(), ..asked("d") }, at(1)).unwrap();
    let all = HearingFilter { rows_max: 10, ..HearingFilter::default() };
    let numbers = |filter: &HearingFilter, is_within: Option<IsWithin<'_>>| -> Vec<u64> {
        store.hearings(filter, is_within).unwrap().into_iter().map(|hearing| hearing.number).collect()
    };
    assert_eq!(numbers(&all, None), [4, 3, 2, 1]);
    assert_eq!(numbers(&HearingFilter { before: Some(4), rows_max: 2, ..all.clone() }, None), [3, 2]);
    let refused = HearingFilter { verdict: Some(Verdict::Refused), ..all.clone() };
    assert_eq!(numbers(&refused, None), [2]);
    let queued = HearingFilter { state: Some(HearingState::Queued), ..all.clone() };
    assert_eq!(numbers(&queued, None), [4, 3]);
    let place = HearingFilter { registry: "r:5000".to_owned(), repository: "else".to_owned(), ..all.clone() };
    assert_eq!(numbers(&place, None), [3]);
    // Who may see all that it speaks of may see it. Of what speaks of nothing nobody knows whose it is.
    let shop = |_: &str, repository: &str| repository.starts_with("shop/") || repository.starts_with("prod/");
    assert_eq!(numbers(&all, Some(&shop)), [2, 1]);
    assert_eq!(numbers(&all, Some(&|_, repository| repository == "shop/web")), Vec::<u64>::new());
    assert_eq!(numbers(&refused, Some(&|_, _| true)), [2]);
}

fn failed_hearings_are_forgotten_and_decided_ones_are_not(store: &Store, _: &str) {
    let kept = done(store, "a", 1, Verdict::Refused);
    let id = store.ask(&asked("b"), at(1)).unwrap().0.id;
    let claimed = store.claim_hearing("w", at(60), at(2)).unwrap().unwrap();
    let failed = HearingOutcome::Failed { reason: Reason::Internal, detail: "no policy".to_owned() };
    assert!(store.finish_hearing(&claimed.lease, &failed, at(3)).unwrap());
    store.prune(at(3)).unwrap();
    assert!(store.hearing(&id).unwrap().is_some());
    store.prune(at(4)).unwrap();
    assert!(store.hearing(&id).unwrap().is_none());
    assert_eq!(store.hearing(&kept.id).unwrap(), Some(kept));
}
