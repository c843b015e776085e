//! Progress of fetching: a bar on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::fetch::Event;

/// Shows a fetch's events on standard error.
pub struct Fetching {
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Fetching {
    /// A bar where standard error is a terminal, lines where it is not, nothing where quiet is asked for.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{prefix:>12} {bar:30} {bytes}/{total_bytes} {elapsed} {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, quiet }
    }

    /// Shows one event.
    pub fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Waiting => self.line("another fetch holds the cache; waiting for it"),
            Event::Begun(name, i, of) => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("{name} ({} of {of})", i + 1));
                }
            }
            Event::Downloading(package) => self.begin("download", &format!("download {package}, {} bytes", package.bytes), package.bytes),
            Event::Came(bytes) => {
                if let Some(bar) = &self.bar {
                    bar.set_position(*bytes);
                }
            }
            // The digest was checked: that it came is no news by itself.
            Event::Downloaded(package) => {
                if let Some(bar) = &self.bar {
                    bar.set_position(package.bytes);
                }
            }
            Event::Unpacking(package) => self.begin("unpack", &format!("unpack {package}"), 0),
            Event::Converting(name) => self.begin("convert", &format!("convert {name}"), 0),
            Event::Done(name, true) => self.line(&format!("fetched {name}")),
            Event::Done(name, false) => self.line(&format!("{name} was there")),
            Event::Failed(name, _) => self.line(&format!("FAILED {name}")),
        }
    }

    fn begin(&self, what: &'static str, text: &str, bytes: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(what);
                bar.set_length(bytes);
                bar.set_position(0);
            }
            None => self.line(text),
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.quiet => {}
            None => eprintln!("{text}"),
        }
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
