//! What the server has to do: the queue, what workers are at, what is tried again, what was given up; and the buttons that
//! change it.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use plimsoll_core::scan::ScanState;
use plimsoll_report::html::shown;
use plimsoll_store::{Counts, Delivery, DeliveryFilter, DeliveryState, Scan, ScanFilter};
use serde::Deserialize;

use super::layout::{self, Shown};
use super::session::{self, Visitor};
use super::{HTML, ID, overview, page, parts, sign_in};
use crate::access::Principal;
use crate::config::Scope;
use crate::http::Refusal;
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Parameter, schema_of};
use crate::http::path::Path;
use crate::jobs::{hand, workers};
use crate::server::Server;

/// Rows of each list.
const ROWS: u32 = 50;

pub(super) const PAGE: Endpoint =
    page("/ui/jobs", "showJobs", "What the server has to do, and what it gave up.", &[], || get(jobs));

const DONE: Answer = Answer {
    status: 303,
    about: "It is done; the page that shows it comes next.",
    headers: &[],
    payload: None,
};

const REFUSED: Answer = Answer {
    status: 403,
    about: "Whoever asks may not, or none of our own pages sent the form.",
    headers: &[],
    payload: Some(HTML),
};

const GONE: Answer = Answer { status: 404, about: "There is none.", headers: &[], payload: Some(HTML) };

const ENDED: Answer = Answer {
    status: 409,
    about: "It has ended, or nobody knows where the image is.",
    headers: &[],
    payload: Some(HTML),
};

pub(super) const CANCEL: Endpoint = Endpoint {
    method: Method::Post,
    access: Access::Submit,
    body: sign_in::FORM,
    answers: &[DONE, sign_in::BAD, REFUSED, GONE, ENDED],
    ..page("/ui/images/{id}/cancel", "cancelScanByForm", "Calls a scan off.", &[ID], || post(cancel))
};

pub(super) const AGAIN: Endpoint = Endpoint {
    method: Method::Post,
    access: Access::Submit,
    body: sign_in::FORM,
    answers: &[DONE, sign_in::BAD, REFUSED, GONE, ENDED],
    ..page("/ui/images/{id}/again", "scanAgain", "Has an image read once more.", &[ID], || post(again))
};

pub(super) const REPLAY: Endpoint = Endpoint {
    method: Method::Post,
    access: Access::Admin,
    body: sign_in::FORM,
    answers: &[DONE, sign_in::BAD, REFUSED, GONE],
    ..page(
        "/ui/deliveries/{number}/replay",
        "replayDeliveryByForm",
        "Has a delivery made once more.",
        &[Parameter::path("number", "The delivery's number.", schema_of::<u64>)],
        || post(replay),
    )
};

/// The lists, in the order in which somebody wants them: title, which scans, what an empty one says.
const LISTS: [(&str, &[ScanState], &str); 4] = [
    (
        "At work",
        &[ScanState::Fetching, ScanState::Indexing, ScanState::Matching],
        "No worker has anything in hand.",
    ),
    ("Will be tried again", &[ScanState::Retrying], "Nothing waits for another attempt."),
    ("Waiting", &[ScanState::Queued, ScanState::FeedsNotLoaded], "Nothing waits."),
    ("Given up", &[ScanState::Failed], "No scan has failed for good."),
];

/// What the page shows.
struct Jobs {
    /// In the order of [`LISTS`]; the second says whether there may be more.
    lists: Vec<(Vec<Scan>, bool)>,
    /// Of everything; only for whoever sees everything.
    counts: Option<Counts>,
    /// Deliveries that were given up; only for whoever may have them made again.
    dead: Option<Vec<Delivery>>,
    workers: u32,
}

async fn jobs(State(server): State<Arc<Server>>, visitor: Visitor) -> Result<Response, Refusal> {
    let principal = visitor.principal.clone();
    let jobs = server.blocking(move |server| look(server, &principal)).await?;
    let main = main(&jobs, &visitor);
    Ok(layout::page(&visitor, &Shown { title: "Jobs".to_owned(), place: PAGE.path, main }))
}

fn look(server: &Server, principal: &Principal) -> Result<Jobs, Refusal> {
    let store = server.store()?;
    let mut lists = Vec::with_capacity(LISTS.len());
    for (_, states, _) in LISTS {
        let (mut scans, mut is_cut) = (Vec::new(), false);
        for state in states {
            let filter = ScanFilter { state: Some(*state), rows_max: ROWS, ..ScanFilter::default() };
            let some = overview::filtered(server, principal, &filter)?;
            is_cut |= u32::try_from(some.len()).is_ok_and(|count| count >= ROWS);
            scans.extend(some);
        }
        // Asked for once more with what lists leave out: the place in the queue.
        let ids: Vec<&str> = scans.iter().map(|scan| scan.id.as_str()).collect();
        let mut whole = store.scans_of(&ids)?;
        for scan in &mut scans {
            let position = whole.remove(&scan.id).and_then(|whole| whole.position);
            scan.position = position;
        }
        scans.sort_by_key(|scan| (scan.position.is_none(), scan.position, scan.retry_at, scan.since));
        lists.push((scans, is_cut));
    }
    let dead =
        DeliveryFilter { state: Some(DeliveryState::Dead), rows_max: ROWS, ..DeliveryFilter::default() };
    let may_replay = principal.may(Scope::Admin);
    Ok(Jobs {
        lists,
        counts: (!principal.is_limited()).then(|| store.counts()).transpose()?,
        dead: may_replay.then(|| store.deliveries(&dead)).transpose()?,
        workers: workers::count(&server.config),
    })
}

fn main(jobs: &Jobs, visitor: &Visitor) -> Markup {
    html! {
        h1 { "Jobs" }
        div #jobs data-live {
            p.quiet {
                (jobs.workers) @if jobs.workers == 1 { " worker" } @else { " workers" } " on this replica"
                @if let Some(oldest) = jobs.counts.as_ref().and_then(|counts| counts.oldest_queued) {
                    "; what waits longest was put into the queue at " (parts::time(oldest))
                }
                "."
            }
            @for ((title, states, empty), (scans, is_cut)) in LISTS.iter().zip(&jobs.lists) {
                h2 { (title) @if let Some(counts) = &jobs.counts {
                    " " span.quiet { "(" (states.iter().filter_map(|state| counts.scans.get(state)).sum::<u64>()) ")" }
                } }
                @if scans.is_empty() { p { (empty) } } @else { (table(title, scans, visitor)) }
                @if *is_cut { p.quiet { "There are more than are listed here." } }
            }
            @if let Some(dead) = &jobs.dead { (deliveries(dead, visitor)) }
        }
    }
}

fn table(title: &str, scans: &[Scan], visitor: &Visitor) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(title) { table.tags {
            thead { tr { th scope="col" { "Image" } th scope="col" { "Status" } th scope="col" { "Since" } th scope="col" { "To do" } } }
            tbody { @for scan in scans { tr {
                th scope="row" { a href=(parts::image_path(&scan.id)) { (overview::name(scan)) } }
                td { (parts::standing(scan)) }
                td data-label="Since" { (parts::time(scan.since)) }
                td { (buttons(scan, visitor)) }
            } } }
        } }
    }
}

/// What whoever looks may do to a scan.
pub(super) fn buttons(scan: &Scan, visitor: &Visitor) -> Markup {
    let path = parts::image_path(&scan.id);
    let may = visitor.principal.may_submit(&scan.registry, &scan.repository);
    html! {
        @if may && !scan.state.is_final() {
            (button(&format!("{path}/cancel"), "Call off", visitor))
        }
        @if scan.state.is_final() && hand::may_be_again(&visitor.principal, scan) {
            (button(&format!("{path}/again"), "Scan again", visitor))
        }
    }
}

fn button(action: &str, title: &str, visitor: &Visitor) -> Markup {
    html! {
        form.act method="post" action=(action) {
            input type="hidden" name="form_key" value=(visitor.form_key);
            button type="submit" { (title) }
        }
    }
}

fn deliveries(dead: &[Delivery], visitor: &Visitor) -> Markup {
    html! {
        h2 { "Notifications that were given up" }
        @if dead.is_empty() { p { "None: every target took what it was told, or is still being told." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Notifications that were given up" { table.tags {
                thead { tr { th scope="col" { "Target" } th scope="col" { "What went wrong" } th scope="col" { "Given up" } th scope="col" { "To do" } } }
                tbody { @for delivery in dead { tr {
                    th scope="row" { (shown(&delivery.target)) }
                    td { (shown(delivery.error.as_deref().unwrap_or("nothing is known of why"))) span.why { (delivery.attempts) " attempts" } }
                    td data-label="Given up" { (parts::time(delivery.ended_at.unwrap_or(delivery.at))) }
                    td { (button(&format!("/ui/deliveries/{}/replay", delivery.number), "Deliver again", visitor)) }
                } } }
            } }
        }
    }
}

#[derive(Deserialize)]
struct Act {
    #[serde(default)]
    form_key: String,
}

/// Refuses what none of our own pages sent.
fn check(headers: &HeaderMap, form: Result<Form<Act>, FormRejection>) -> Result<(), Refusal> {
    let Form(Act { form_key }) = form.map_err(sign_in::unread)?;
    session::check_form(headers, &form_key)
}

fn to(path: String) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

async fn cancel(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Act>, FormRejection>,
) -> Result<Response, Refusal> {
    check(&headers, form)?;
    let path = parts::image_path(&id);
    server.blocking(move |server| hand::cancel(server, &principal, &id)).await?;
    Ok(to(path))
}

async fn again(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Form<Act>, FormRejection>,
) -> Result<Response, Refusal> {
    check(&headers, form)?;
    let id = server.blocking(move |server| hand::again(server, &principal, &id)).await?;
    Ok(to(parts::image_path(&id)))
}

async fn replay(
    State(server): State<Arc<Server>>,
    Path(number): Path<u64>,
    headers: HeaderMap,
    form: Result<Form<Act>, FormRejection>,
) -> Result<Response, Refusal> {
    check(&headers, form)?;
    let replay = move |server: &Server| Ok(server.store()?.replay_delivery(number, (server.now)())?);
    match server.blocking(replay).await? {
        true => Ok(to(PAGE.path.to_owned())),
        false => Err(Refusal::not_found(format!("there is no delivery {number}"))),
    }
}
