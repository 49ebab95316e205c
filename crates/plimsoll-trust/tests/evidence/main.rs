//! Evidence of every kind, made by a PKI of our own: it is proven where it is whole, and nothing that is taken away, spoilt or made
//! by a stranger ever makes it stand better, whatever is trusted and demanded.

#![allow(clippy::unwrap_used)]

mod changes;
mod kinds;
mod spoils;
mod tables;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use changes::{Change, close, open, pointers};
use kinds::{Case, KINDS, identities, told, workflow};
use plimsoll_core::evidence::Standing;
use proptest::prelude::*;
use spoils::SPOILS;
use views::{VIEWS, better};

#[test]
fn whole_evidence_of_every_kind_is_proven() {
    let mut lines = Vec::new();
    for kind in KINDS {
        for (index, identity) in identities().into_iter().enumerate() {
            let case = Case::new(*kind, identity);
            let item = case.verify(&case.kept(&case.full()), &case.digest, &case.trust());
            let told = told(&item);
            assert!(told.starts_with("proven"), "{}: {:?}", kind.name, item.standing);
            if index == 0 {
                lines.push(format!("{}: {told}", kind.name));
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn whole_evidence_is_refused_where_what_it_needs_is_not_trusted() {
    let mut blocks = Vec::new();
    for view in VIEWS {
        let mut kinds_by_told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for kind in KINDS {
            let case = Case::new(*kind, workflow().identity());
            let item = case.verify(&case.kept(&case.full()), view.digest(&case), &(view.trust)(&case));
            kinds_by_told.entry(told(&item)).or_default().push(kind.name);
        }
        blocks.push(block(view.name, &kinds_by_told));
    }
    insta::assert_snapshot!(blocks.join("\n"));
}

/// View and spoil where the whole is refused for a piece that nobody trusted made, and stands without it: a piece that does not
/// hold refuses all, so that nobody can slip one in.
static EXEMPT: &[(&str, &str)] =
    &[("with a stranger's roots", "entry: by a stranger"), ("without time authorities", "stamp: none")];

#[test]
fn a_piece_that_is_spoilt_never_improves_the_standing_and_a_needed_one_refuses() {
    let mut told_by_spoil: BTreeMap<&str, BTreeMap<String, Vec<&str>>> = BTreeMap::new();
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for kind in KINDS {
        for (index, identity) in identities().into_iter().enumerate() {
            let case = Case::new(*kind, identity);
            let views: Vec<_> = VIEWS.iter().map(|view| ((view.trust)(&case), view.digest(&case))).collect();
            let whole = case.kept(&case.full());
            let wholes: Vec<_> =
                views.iter().map(|(trust, digest)| case.verify(&whole, digest, trust)).collect();
            for spoil in SPOILS.iter().filter(|spoil| (spoil.has)(kind)) {
                let kept = case.kept(&(spoil.make)(&case));
                for (view, ((trust, digest), whole)) in VIEWS.iter().zip(views.iter().zip(&wholes)) {
                    let item = case.verify(&kept, digest, trust);
                    let is_first = view.name == VIEWS[0].name;
                    let exemption = EXEMPT.iter().position(|row| row.0 == view.name && row.1 == spoil.name);
                    if let Some(how) = better(&item, whole) {
                        if let Some(position) = exemption {
                            used.insert(position);
                            continue;
                        }
                        wrong.push(format!("{}, {}, {}: {how}", kind.name, spoil.name, view.name));
                    }
                    if is_first && spoil.refuses && !matches!(item.standing, Standing::Refused(_)) {
                        wrong.push(format!("{}, {}: {}", kind.name, spoil.name, told(&item)));
                    }
                    if is_first && index == 0 {
                        let lines = told_by_spoil.entry(spoil.name).or_default();
                        lines.entry(told(&item)).or_default().push(kind.name);
                    }
                    // Who signed makes no difference to a key's view, nor to the others of an identity of the same sort.
                    if index > 0 {
                        break;
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(used.len(), EXEMPT.len(), "an exemption that is not needed");
    let blocks = SPOILS.iter().map(|spoil| block(spoil.name, &told_by_spoil[spoil.name]));
    insta::assert_snapshot!(blocks.collect::<Vec<_>>().join("\n"));
}

/// Under the right view, for another digest and for a stranger's roots, each value that a kind's JSON has is changed in every way.
#[test]
fn a_value_that_is_changed_anywhere_never_improves_the_standing() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for kind in KINDS {
        let case = Case::new(*kind, workflow().identity());
        let kept = case.kept(&case.full());
        let value = open(&kept);
        let strangers = case.of_stranger();
        let elsewhere = Case::new(*kind, identities()[1].clone());
        let donors = [case.full_of_other(), strangers.full(), elsewhere.full()];
        let donors = donors.map(|bundle| open(&case.kept(&bundle)));
        let views = VIEWS.iter().filter(|view| CHANGED_VIEWS.contains(&view.name));
        let views: Vec<_> = views.map(|view| ((view.trust)(&case), view.digest(&case))).collect();
        let wholes: Vec<_> = views.iter().map(|(trust, digest)| case.verify(&kept, digest, trust)).collect();
        for pointer in pointers(&value) {
            for change in Change::ALL {
                let donors = if change == Change::Transplant { &donors[..] } else { &donors[..1] };
                for changed in donors.iter().filter_map(|donor| change.make(&value, &pointer, donor)) {
                    let changed = close(&changed, &kept);
                    for ((trust, digest), whole) in views.iter().zip(&wholes) {
                        count += 1;
                        if let Some(how) = better(&case.verify(&changed, digest, trust), whole) {
                            wrong.push(format!("{}, {pointer}, {change:?}: {how}", kind.name));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 4000, "only {count} were verified");
}

static CHANGED_VIEWS: &[&str] = &["as it should be", "for another digest", "with a stranger's roots"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Several changes at once, one of them of the text itself.
    #[test]
    fn changes_that_come_together_never_improve_the_standing(
        kind in 0..KINDS.len(),
        view in 0..VIEWS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..Change::ALL.len()), 1..6),
        spoil in any::<prop::sample::Index>(),
    ) {
        let case = Case::new(KINDS[kind], workflow().identity());
        let view = &VIEWS[view];
        let (trust, digest) = ((view.trust)(&case), view.digest(&case));
        let spoils: Vec<_> = SPOILS.iter().filter(|spoil| (spoil.has)(&case.kind)).collect();
        let spoil = spoil.get::<&spoils::Spoil>(&spoils);
        prop_assume!(!EXEMPT.iter().any(|row| row.0 == view.name));
        let whole = case.verify(&case.kept(&case.full()), digest, &trust);
        let like = case.kept(&(spoil.make)(&case));
        let donor = open(&case.kept(&case.full_of_other()));
        let mut value = open(&like);
        for (place, change) in changes {
            let all = pointers(&value);
            if all.is_empty() {
                break;
            }
            let changed = Change::ALL[change].make(&value, place.get::<String>(&all), &donor);
            value = changed.unwrap_or(value);
        }
        let item = case.verify(&close(&value, &like), digest, &trust);
        prop_assert_eq!(better(&item, &whole), None, "{}, {}, {}: {}", case.kind.name, spoil.name, view.name, value);
    }
}

fn block(name: &str, kinds_by_told: &BTreeMap<String, Vec<&str>>) -> String {
    let lines = kinds_by_told.iter().map(|(told, kinds)| format!("  {told}: {}", kinds.join("; ")));
    format!("{name}\n{}", lines.collect::<Vec<_>>().join("\n"))
}
