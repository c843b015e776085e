//! Progress of fetching: a bar on a terminal, plain lines elsewhere.

use super::bar::Bar;
use crate::fetch::Event;

/// Shows a fetch's events on standard error.
pub struct Fetching {
    bar: Bar,
}

impl Fetching {
    /// A bar where standard error is a terminal, lines where it is not, nothing where quiet is asked for.
    pub fn new(quiet: bool) -> Self {
        Self { bar: Bar::new("{prefix:>12} {bar:30} {bytes}/{total_bytes} {elapsed} {wide_msg}", quiet) }
    }

    /// Shows one event.
    pub fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Waiting => self.bar.line("another fetch holds the cache; waiting for it"),
            Event::Begun(name, i, of) => self.bar.message(|| format!("{name} ({} of {of})", i + 1)),
            Event::Downloading(package) => self.begin("download", &format!("download {package}, {} bytes", package.bytes), package.bytes),
            Event::Came(bytes) => self.bar.set(*bytes),
            // The digest was checked: that it came is no news by itself.
            Event::Downloaded(package) => self.bar.set(package.bytes),
            Event::Unpacking(package) => self.begin("unpack", &format!("unpack {package}"), 0),
            Event::Converting(name) => self.begin("convert", &format!("convert {name}"), 0),
            Event::Done(name, true) => self.bar.line(&format!("fetched {name}")),
            Event::Done(name, false) => self.bar.line(&format!("{name} was there")),
            Event::Failed(name, _) => self.bar.line(&format!("FAILED {name}")),
        }
    }

    fn begin(&self, what: &'static str, text: &str, bytes: u64) {
        self.bar.begin(what, bytes, 0);
        if !self.bar.is_drawn() {
            self.bar.line(text);
        }
    }
}
