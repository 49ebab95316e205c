//! The ways of telling somebody: one row a file.

use anyhow::Context as _;
use plimsoll_net::Settings;

use super::message::Message;
use crate::config::WarningsConfig;

mod email;
mod webhook;

/// One way of telling.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Its name: that of its section in `[warnings]`.
    pub(crate) name: &'static str,
    /// Whether it is configured.
    is_configured: fn(&WarningsConfig) -> bool,
    /// Makes it ready: reads what the configuration says and refers to; `None` where it is not configured. Nothing
    /// is sent yet.
    open: fn(&WarningsConfig, &Settings) -> anyhow::Result<Option<SendFn>>,
}

/// Sends one message. `Ok` means that the other side took it.
pub(crate) type SendFn = Box<dyn Fn(&Message) -> anyhow::Result<()>>;

/// All channels, sorted by name.
pub(crate) static CHANNELS: &[&Channel] = &[&email::CHANNEL, &webhook::CHANNEL];

/// The names of the channels that are configured.
pub(crate) fn configured(config: &WarningsConfig) -> Vec<&'static str> {
    CHANNELS.iter().filter(|row| (row.is_configured)(config)).map(|row| row.name).collect()
}

/// A channel that is configured.
pub(crate) struct OpenChannel {
    /// Which.
    pub(crate) row: &'static Channel,
    /// Sends one message.
    pub(crate) send: SendFn,
}

/// Makes all channels ready that are configured. An error is the configuration's.
pub(crate) fn open(config: &WarningsConfig, net: &Settings) -> anyhow::Result<Vec<OpenChannel>> {
    let mut channels = Vec::new();
    for row in CHANNELS.iter().copied() {
        let send = (row.open)(config, net).with_context(|| format!("in `[warnings.{}]`", row.name))?;
        channels.extend(send.map(|send| OpenChannel { row, send }));
    }
    Ok(channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        assert!(CHANNELS.is_sorted_by(|a, b| a.name < b.name));
    }
}
