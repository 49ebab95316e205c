//! By e-mail: what happens within a while is one mail, as text and as HTML.
//!
//! Each receiver has deliveries and mails of their own, so that one whom the server refuses keeps nothing from the others,
//! nobody gets twice what another one did not get, and it is seen of each how that went.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::message::MultiPart;
use plimsoll_core::digest::hex;
use plimsoll_net::Settings;
use plimsoll_store::Delivery;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Around, Draft, Kind, Prepared, Ways, Went, needed};
use crate::config::{EmailConfig, TargetConfig};
use crate::mail::{Head, Post, Unsent};
use crate::notify::{backoff, digest};
use crate::warnings::message::clean;

/// The row.
pub(super) static KIND: Kind = Kind {
    name: "email",
    about: "a mail about all that happened within a while",
    keys: &["server", "from", "to", "credentials", "ca", "allow_plain", "digest"],
    tells: |_| true,
    open,
};

/// For how long is gathered where nothing is configured.
const DIGEST: Duration = Duration::from_secs(15 * 60);

/// Most images and feeds that one mail is about; what is more comes with the next one.
const BATCH_MAX: u32 = 2000;

/// Most deliveries to all receivers that are handed over at once: they are in memory together.
const BATCH_ALL_MAX: u32 = 8000;

/// How long mails are begun at once: a server may take half a minute for each of its answers, and a claim holds five.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// What is kept of a delivery.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The receiver as they are configured.
    to: String,
    #[serde(flatten)]
    paragraph: digest::Paragraph,
}

fn open(config: &TargetConfig, around: &Around<'_>) -> anyhow::Result<Ways> {
    let email = EmailConfig {
        server: needed(&config.server, "server")?.to_owned(),
        from: needed(&config.from, "from")?.to_owned(),
        to: config.to.clone().unwrap_or_default(),
        credentials: config.credentials.clone(),
        ca: config.ca.clone(),
        allow_plain: config.allow_plain,
    };
    Post::open(&email, around.net)?;
    let mut receivers = email.to.clone();
    receivers.sort_unstable();
    receivers.dedup();
    let count = u32::try_from(receivers.len()).unwrap_or(u32::MAX);
    let batch_max = BATCH_MAX.saturating_mul(count).min(BATCH_ALL_MAX);
    let period = config.digest.map_or(DIGEST, |digest| digest.0);
    let (host, url, net) = (around.host.to_owned(), around.server_url.to_owned(), around.net.clone());
    Ok(Ways {
        prepare: Box::new(move |happened, now| {
            let due_at = backoff::end_of_period(period, now);
            let drafts = happened.iter().flat_map(|(key, happened)| {
                let paragraph = digest::paragraph(happened, &url);
                receivers.iter().map(move |to| {
                    let kept = Kept { to: to.clone(), paragraph: paragraph.clone() };
                    Draft {
                        key: format!("{key}/{to}"),
                        media_type: "application/json",
                        body: serde_json::to_string(&kept).expect("plain structs with text keys are JSON"),
                        due_at,
                    }
                })
            });
            Prepared { drafts: drafts.collect(), notices: Vec::new() }
        }),
        send: Box::new(move |deliveries, now| send_all(&email, &net, &host, deliveries, now)),
        batch_max,
        gathers: Some(period),
    })
}

/// A mail for each receiver; says of each delivery how that went.
fn send_all(
    config: &EmailConfig,
    net: &Settings,
    host: &str,
    deliveries: &[Delivery],
    now: Timestamp,
) -> Vec<Went> {
    let begun = Instant::now();
    let mut by_receiver: BTreeMap<String, Vec<(&Delivery, digest::Paragraph)>> = BTreeMap::new();
    let mut went: BTreeMap<u64, Went> = BTreeMap::new();
    for delivery in deliveries {
        match serde_json::from_slice::<Kept>(&delivery.body) {
            Ok(kept) if config.to.contains(&kept.to) => {
                by_receiver.entry(kept.to).or_default().push((delivery, kept.paragraph));
            }
            Ok(kept) => {
                let why = format!("`{}` is not in `to` any more", clean(&kept.to));
                went.insert(delivery.number, Went::Never(why));
            }
            Err(error) => {
                let why = clean(&format!("what is kept of it is not understood: {error}"));
                went.insert(delivery.number, Went::Never(why));
            }
        }
    }
    let mut broken: Option<String> = None;
    for (to, theirs) in by_receiver {
        if broken.is_none() && begun.elapsed() > BEGIN_TIMEOUT {
            broken = Some(format!("the mail server took {} s for others", BEGIN_TIMEOUT.as_secs()));
        }
        let sent = match &broken {
            // Nobody is asked for long who has just said that nothing is taken.
            Some(error) => Went::Later { error: error.clone(), after: None },
            None => match send(config, net, host, &to, &theirs, now) {
                Ok(()) => Went::Delivered,
                Err(error) => {
                    let is_of_server =
                        error.downcast_ref::<Unsent>().is_none_or(|unsent| unsent.is_of_server);
                    let text = clean(&format!("{error:#}"));
                    if is_of_server {
                        broken = Some(text.clone());
                    }
                    let error = if is_of_server { text } else { format!("`{}`: {text}", clean(&to)) };
                    Went::Later { error, after: None }
                }
            },
        };
        went.extend(theirs.iter().map(|(delivery, _)| (delivery.number, sent.clone())));
    }
    let of = |delivery: &Delivery| went.remove(&delivery.number).expect("each was sorted in above");
    deliveries.iter().map(of).collect()
}

fn send(
    config: &EmailConfig,
    net: &Settings,
    host: &str,
    to: &str,
    theirs: &[(&Delivery, digest::Paragraph)],
    now: Timestamp,
) -> anyhow::Result<()> {
    let paragraphs: Vec<digest::Paragraph> = theirs.iter().map(|(_, paragraph)| paragraph.clone()).collect();
    let letter = digest::letter(&paragraphs, host);
    // The same for the same deliveries, so that a mail that was taken and is sent again is known.
    let mut hasher = Sha256::new();
    theirs.iter().for_each(|(delivery, _)| hasher.update(delivery.number.to_le_bytes()));
    let id = format!("dgst_{}", hex(&hasher.finalize()[..16]));
    let config = EmailConfig { to: vec![to.to_owned()], ..config.clone() };
    let post = Post::open(&config, net)?;
    let mail = post
        .begin(Head { host, id: &id, at: now, subject: letter.subject })
        .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
        .context("cannot write the mail")?;
    Ok(post.send(&mail, host)?)
}
