//! By e-mail: plain text through an SMTP server.

use anyhow::Context as _;
use lettre::message::header::ContentType;
use plimsoll_net::Settings;

use super::{Channel, SendFn};
use crate::config::WarningsConfig;
use crate::mail::{Head, Post};
use crate::warnings::message::Message;

/// The row.
pub(super) static CHANNEL: Channel =
    Channel { name: "email", is_configured: |config| config.email.is_some(), open };

fn open(config: &WarningsConfig, net: &Settings) -> anyhow::Result<Option<SendFn>> {
    let Some(config) = &config.email else { return Ok(None) };
    let post = Post::open(config, net)?;
    Ok(Some(Box::new(move |message: &Message| {
        let head = Head { host: &message.host, id: &message.id, at: message.at, subject: message.subject() };
        let builder = post.begin(head).header(ContentType::TEXT_PLAIN);
        let mail = builder.body(message.text()).context("cannot write the mail")?;
        Ok(post.send(&mail, &message.host)?)
    })))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::config::EmailConfig;
    use crate::mail::receivers::{MailServer, Tls as ServerTls};
    use crate::warnings::late::{LateFeed, Why};
    use crate::warnings::memory::Digest;

    /// A host's name and an error that would like to be commands, heads and the end of the text.
    #[test]
    fn what_others_say_stays_text() {
        let server = MailServer::start(ServerTls::Never);
        let config = EmailConfig {
            server: format!("smtp://127.0.0.1:{}", server.port),
            from: "Plimsoll <plimsoll@ship.example>".to_owned(),
            to: vec!["Brücke <bridge@ship.example>".to_owned()],
            credentials: None,
            ca: None,
            allow_plain: true,
        };
        let config = WarningsConfig { email: Some(config), webhook: None };
        let send = open(&config, &Settings::default()).unwrap().unwrap();
        let feed = LateFeed {
            name: "kev".to_owned(),
            title: "Ruß, 船".to_owned(),
            why: Why::Stale,
            age_days: Some(31),
            max_age_days: 7,
            data_date: None,
            failing_since: Some("2030-01-01T00:00:00Z".to_owned()),
            failures: 1,
            error: Some(".".repeat(1000)),
        };
        let digest = Digest { late: vec![feed], recovered: Vec::new() };
        let at = Timestamp::from_second(1_900_000_000).unwrap();
        let message = Message::of_feeds("schiff-é\r\nBcc: <all@ship.example>\r\n\r\n.\r\n", at, digest, "");
        send(&message).unwrap();
        let mails = server.take();
        let [mail] = mails.as_slice() else { panic!("{mails:?}") };
        assert!(mail.stuffed > 0, "lines that begin with a dot: {mail:?}");
        assert_eq!(mail.body(), message.text().replace("\r\n", "\n"));
        let (head, _) = mail.text.split_once("\n\n").unwrap();
        let heads = head.lines().filter(|line| !line.starts_with(' '));
        let mut names: Vec<&str> = heads.map(|line| line.split_once(": ").unwrap().0).collect();
        names.sort_unstable();
        let wanted = [
            "Auto-Submitted",
            "Content-Transfer-Encoding",
            "Content-Type",
            "Date",
            "From",
            "MIME-Version",
            "Message-ID",
            "Subject",
            "To",
        ];
        assert_eq!(names, wanted, "{head}");
        assert_eq!(mail.header("Date"), "Sun, 17 Mar 2030 17:46:40 +0000");
        assert_eq!(mail.header("Message-ID"), format!("<{}@schiff-Bccallship.example>", message.id));
        let receivers = mail.commands.iter().filter(|command| command.starts_with("RCPT"));
        assert_eq!(receivers.collect::<Vec<_>>(), ["RCPT TO:<bridge@ship.example>"]);
        assert!(mail.text.is_ascii());
    }
}
