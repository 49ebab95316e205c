//! The kinds of targets: one row a file.
//!
//! A kind does two things. It makes deliveries of what happened, which is pure and is stored; and it hands stored
//! deliveries over, which may hang, fail and be repeated. Secrets are read when something is handed over, so that they
//! can be replaced while the server runs, and once at the start, so that what is wrong with them is said then.

use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use plimsoll_net::Settings;
use plimsoll_store::{Delivery, NoticeItem};

use super::queues::Limits;
use super::topics::{Occurrence, Topic};
use super::wants::Wants;
use crate::config::TargetConfig;

mod amqp;
mod clair;
mod email;
mod webhook;

/// One kind of target.
pub(crate) struct Kind {
    /// Its name: `kind` in the configuration.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) about: &'static str,
    /// The keys that it takes beside those that every kind takes.
    pub(crate) keys: &'static [&'static str],
    /// Which topics it can tell.
    pub(crate) tells: fn(&Topic) -> bool,
    /// Makes it ready: reads what the configuration says and refers to. Nothing is sent yet.
    open: fn(&TargetConfig, &Around<'_>) -> anyhow::Result<Ways>,
}

/// All kinds, sorted by name.
pub(crate) static KINDS: &[&Kind] = &[&amqp::KIND, &clair::KIND, &email::KIND, &webhook::KIND];

/// What a target stands among.
pub(crate) struct Around<'a> {
    /// The target's name.
    pub(crate) name: &'a str,
    /// How hosts are reached.
    pub(crate) net: &'a Settings,
    /// How clients reach this server, without a path and without `/` at its end.
    pub(crate) server_url: &'a str,
    /// The name of this machine, for people.
    pub(crate) host: &'a str,
}

/// What a target can do.
pub(crate) struct Ways {
    /// Makes deliveries of what happened.
    pub(crate) prepare: PrepareFn,
    /// Hands deliveries over; says of each how that went, in their order.
    pub(crate) send: SendFn,
    /// Most deliveries that are handed over at once.
    pub(crate) batch_max: u32,
    /// For how long what happens is gathered before it is handed over together.
    pub(crate) gathers: Option<Duration>,
}

/// Makes deliveries of what happened, each with the key of its delivery.
pub(crate) type PrepareFn = Box<dyn Fn(&[(String, Occurrence)], Timestamp) -> Prepared + Send + Sync>;

/// Hands deliveries over.
pub(crate) type SendFn = Box<dyn Fn(&[Delivery], Timestamp) -> Vec<Went> + Send + Sync>;

/// What is to be stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// What is delivered.
    pub(crate) drafts: Vec<Draft>,
    /// What is read later by who gets a delivery: id and items of each notice.
    pub(crate) notices: Vec<(String, Vec<NoticeItem>)>,
}

/// Something to deliver.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    /// Unique by target.
    pub(crate) key: String,
    /// Media type of the body.
    pub(crate) media_type: &'static str,
    /// What is said.
    pub(crate) body: String,
    /// When it is due.
    pub(crate) due_at: Timestamp,
}

/// How handing over went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    /// The other side took it.
    Delivered,
    /// It did not, and may another time.
    Later {
        /// What went wrong.
        error: String,
        /// How long the other side wants to be left alone.
        after: Option<Duration>,
    },
    /// It does not want it.
    Never(String),
}

/// A target that is ready.
pub(crate) struct Target {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// Its kind.
    pub(crate) kind: &'static Kind,
    /// What it wants to be told.
    pub(crate) wants: Wants,
    /// Where its queue ends.
    pub(crate) queue: Limits,
    /// What it can do.
    pub(crate) ways: Ways,
}

/// Makes one target ready. An error is the configuration's.
pub(crate) fn open(config: &TargetConfig, around: &Around<'_>) -> anyhow::Result<Target> {
    let Some(kind) = KINDS.iter().find(|kind| kind.name == config.kind) else {
        let names: Vec<String> =
            KINDS.iter().map(|kind| format!("`{}` ({})", kind.name, kind.about)).collect();
        bail!("`kind` is `{}`; write one of {}", config.kind.escape_debug(), names.join(", "));
    };
    if let Some(key) = config.foreign_key(kind.keys) {
        bail!("a target of kind `{}` has no `{key}`; it takes {}", kind.name, kind.keys.join(", "));
    }
    let wants = Wants::read(config, kind.tells)?;
    let queue = Limits::read(config)?;
    let ways = (kind.open)(config, around)?;
    Ok(Target { name: around.name.to_owned(), kind, wants, queue, ways })
}

/// A key that a kind cannot do without.
fn needed<'c>(value: &'c Option<String>, key: &str) -> anyhow::Result<&'c str> {
    value.as_deref().filter(|value| !value.is_empty()).with_context(|| format!("`{key}` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::topics::TOPICS;

    #[test]
    fn names_are_unique_and_sorted() {
        assert!(KINDS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn each_tells_something() {
        for kind in KINDS {
            assert!(
                !kind.about.is_empty() && TOPICS.iter().any(|topic| (kind.tells)(topic)),
                "{}",
                kind.name
            );
        }
    }
}
