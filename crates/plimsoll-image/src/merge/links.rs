//! Hard links to files of layers below: what the file states, its link states too.

use plimsoll_core::gap::{Gap, GapKind};

use super::{LayerInput, Seen, Visible, in_layer};
use crate::facts::{LayerFacts, ParentLink};

impl<'a> Visible<'a> {
    /// What a layer's links state by the files that are visible below it.
    pub(super) fn linked_below(&self, layer: usize, facts: &'a LayerFacts) -> Vec<Seen<'a>> {
        let links = facts.parent_links.iter().filter(|link| self.view.has_link(link));
        links
            .filter_map(|link| {
                let seen = self.files.get(&*self.view.key(&link.target))?;
                Some(Seen { layer, path: &link.path, found: seen.found })
            })
            .collect()
    }

    /// The same by the files of the layer itself, which it may name in other letters than its link does; and what is not known
    /// of those that are still left.
    pub(super) fn link_here(&mut self, layer: usize, layers: &[LayerInput<'a>]) -> Option<Gap> {
        let (digest, facts) = layers.get(layer).copied()?;
        let view = self.view;
        let mut unread: Vec<&ParentLink> = Vec::new();
        for link in facts.parent_links.iter().filter(|link| view.has_link(link)) {
            let known = self.files.get(&*view.key(&link.path)).is_some_and(|seen| seen.layer == layer);
            if known {
                continue;
            }
            if let Some(seen) = self.files.get(&*view.key(&link.target)).copied() {
                self.put(Seen { layer, path: &link.path, found: seen.found });
                continue;
            }
            let target = view.mark(&link.target);
            let has_target = |(_, facts): &LayerInput<'_>| facts.paths.has_other_than_directory(target);
            // A link to nothing is no file.
            if !link.is_target_read && layers.iter().take(layer + 1).any(has_target) {
                unread.push(link);
            }
        }
        let (first, more) = unread.split_first()?;
        let more = if more.is_empty() { String::new() } else { format!(", and so are {} more", more.len()) };
        let detail = format!(
            "it is a hard link to `/{}`, whose content is in a layer below under a name that is not read{more}{}",
            view.shown(&first.target),
            in_layer(digest)
        );
        Some(Gap::new(GapKind::EvidenceUnreadable, format!("/{}", view.shown(&first.path)), detail))
    }
}
