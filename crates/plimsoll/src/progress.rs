//! Progress for people: on a terminal while long work runs, nothing in a pipe.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll_image::catalog::Progress;

/// A bar on standard error.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar, or nothing where standard error is not a terminal.
    pub(crate) fn new(message: &str, is_quiet: bool) -> Bar {
        let bar = ProgressBar::new(0);
        if is_quiet || !stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = "{spinner} {msg} {wide_bar} {bytes}/{total_bytes}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(message.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(bar)
    }

    /// A spinner with a message, or nothing where standard error is not a terminal.
    pub(crate) fn spinner(message: &str, is_quiet: bool) -> Bar {
        let bar = Bar::new(message, is_quiet);
        bar.0.set_style(ProgressStyle::default_spinner());
        bar
    }

    /// Shows how far the layers are.
    pub(crate) fn layers(&self, progress: Progress) {
        match progress {
            Progress::Layers { bytes, .. } => self.0.set_length(bytes),
            Progress::Sized { bytes } => self.0.inc_length(bytes),
            Progress::Read { bytes } => self.0.inc(bytes),
            Progress::LayerDone { .. } => {}
        }
    }

    /// Says what is being done.
    pub(crate) fn message(&self, message: &str) {
        self.0.set_message(message.to_owned());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
