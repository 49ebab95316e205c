//! `feeds keygen`.

use std::path::PathBuf;

use clap::Args;
use plimsoll_feeds::bundle::write_pair;

use super::{Outcome, print};

#[derive(Args, Debug)]
pub(super) struct KeygenArgs {
    /// Folder for `plimsoll.key` and `plimsoll.pub`.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Write NAME.key and NAME.pub instead.
    #[arg(long, value_name = "NAME", conflicts_with = "dir")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &KeygenArgs) -> anyhow::Result<Outcome> {
    let name = args.out.clone().unwrap_or_else(|| args.dir.join("plimsoll"));
    let (key, private_path, public_path) = write_pair(&name)?;
    print(&format!(
        "key {}\n\
         {}: the private key. It stays with whoever exports, and nobody else reads it:\n  \
         plimsoll feeds export --key {} FILE\n\
         {}: the public key. It goes, by a way that you trust, to whoever imports:\n  \
         plimsoll feeds import --key {} FILE\n\
         In the configuration: `signing_key` and `keys` of `[bundles]`.\n",
        key.id(),
        private_path.display(),
        private_path.display(),
        public_path.display(),
        public_path.display(),
    ))
}
