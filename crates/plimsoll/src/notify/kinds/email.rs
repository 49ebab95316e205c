//! By e-mail: what happens within a while is one mail, as text and as HTML.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::message::MultiPart;
use plimsoll_core::digest::hex;
use plimsoll_net::Settings;
use plimsoll_store::Delivery;
use sha2::{Digest as _, Sha256};

use super::{Around, Draft, Kind, Prepared, Ways, Went, needed};
use crate::config::{EmailConfig, TargetConfig};
use crate::mail::{Head, Post};
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
    let period = config.digest.map_or(DIGEST, |digest| digest.0);
    let (host, url, net) = (around.host.to_owned(), around.server_url.to_owned(), around.net.clone());
    Ok(Ways {
        prepare: Box::new(move |happened, now| {
            let due_at = backoff::end_of_period(period, now);
            let drafts = happened.iter().map(|(key, happened)| Draft {
                key: key.clone(),
                media_type: "application/json",
                body: serde_json::to_string(&digest::paragraph(happened, &url))
                    .expect("plain structs with text keys are JSON"),
                due_at,
            });
            Prepared { drafts: drafts.collect(), notices: Vec::new() }
        }),
        send: Box::new(move |deliveries, now| {
            let went = match send(&email, &net, &host, deliveries, now) {
                Ok(()) => Went::Delivered,
                Err(error) => Went::Later { error: clean(&format!("{error:#}")), after: None },
            };
            vec![went; deliveries.len()]
        }),
        batch_max: BATCH_MAX,
        gathers: Some(period),
    })
}

fn send(
    config: &EmailConfig,
    net: &Settings,
    host: &str,
    deliveries: &[Delivery],
    now: Timestamp,
) -> anyhow::Result<()> {
    let paragraphs = deliveries.iter().map(|delivery| {
        serde_json::from_slice(&delivery.body)
            .with_context(|| format!("what is kept as delivery {} is not understood", delivery.number))
    });
    let paragraphs = paragraphs.collect::<anyhow::Result<Vec<digest::Paragraph>>>()?;
    let letter = digest::letter(&paragraphs, host);
    // The same for the same deliveries, so that a mail that was taken and is sent again is known.
    let mut hasher = Sha256::new();
    deliveries.iter().for_each(|delivery| hasher.update(delivery.number.to_le_bytes()));
    let id = format!("dgst_{}", hex(&hasher.finalize()[..16]));
    let post = Post::open(config, net)?;
    let mail = post
        .begin(Head { host, id: &id, at: now, subject: letter.subject })
        .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
        .context("cannot write the mail")?;
    post.send(&mail, host)
}
