//! `feeds mirror`.
#[derive(clap::Args, Debug)]
pub(super) struct MirrorArgs {}
pub(super) fn run(_: &mut super::Session, _: &MirrorArgs) -> anyhow::Result<super::Outcome> {
    Ok(super::Outcome::Done)
}
