//! `feeds push`.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use plimsoll_image::open::registry::credentials::Credentials;
use plimsoll_net::Client;

use super::export::{self, BundleArgs};
use super::{Outcome, Session, misused};
use crate::oci;
use crate::progress::Bar;

#[derive(Args, Debug)]
pub(super) struct PushArgs {
    /// Where the bundle goes: `oci://HOST/REPOSITORY:TAG`.
    #[arg(value_name = "URL")]
    to: String,
    #[command(flatten)]
    bundle: BundleArgs,
}

pub(super) fn run(session: &Session, args: &PushArgs) -> anyhow::Result<Outcome> {
    let (reference, path) = oci::parse(&args.to).map_err(misused)?;
    if !path.is_empty() {
        return Err(misused(anyhow!("`{}` names a file, and a bundle is a whole artifact", args.to)));
    }
    let client = Arc::new(Client::new(session.net_settings(&[]))?);
    let registries = session.registry_options(Credentials::from_environment(), &[]);
    let bar = Bar::spinner("exporting feeds", session.is_quiet);
    let (bundle, key) = export::prepare(session, &args.bundle, &bar)?;
    let mut on_entry = |entry: &str| bar.message(&format!("pushing {entry}"));
    let pushed = oci::push(client, &reference, &registries, &bundle, &mut on_entry)
        .with_context(|| format!("cannot push to `{}`", args.to))?;
    bundle.remember()?;
    drop(bar);
    anstream::eprint!("{}", export::text(&bundle, key.as_ref(), None));
    super::print(&format!(
        "{}@{}: {} entries sent, {} were there\n",
        args.to, pushed.digest, pushed.sent, pushed.there
    ))
}
