//! Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing where quiet is asked for.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, or what stands for one.
#[derive(Debug)]
pub struct Bar {
    drawn: Option<ProgressBar>,
    quiet: bool,
}

impl Bar {
    /// A bar of that template.
    pub fn new(template: &str, quiet: bool) -> Self {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let drawn = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { drawn, quiet }
    }

    /// Whether there is a bar, so that what it shows need not be said in lines.
    pub fn is_drawn(&self) -> bool {
        self.drawn.is_some()
    }

    /// Begins a stage: its name, how long it is, and how much of it is done.
    pub fn begin(&self, what: &'static str, length: u64, position: u64) {
        if let Some(bar) = &self.drawn {
            bar.set_prefix(what);
            bar.set_length(length);
            bar.set_position(position);
            bar.reset_eta();
        }
    }

    /// How much of the stage is done.
    pub fn set(&self, position: u64) {
        if let Some(bar) = &self.drawn {
            bar.set_position(position);
        }
    }

    /// Words beside the bar.
    pub fn message(&self, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.drawn {
            bar.set_message(text());
        }
    }

    /// A line above the bar.
    pub fn line(&self, text: &str) {
        match &self.drawn {
            Some(bar) => bar.println(text),
            None if self.quiet => {}
            None => eprintln!("{text}"),
        }
    }

    /// A line, and one more done.
    pub fn step(&self, text: &str) {
        self.line(text);
        if let Some(bar) = &self.drawn {
            bar.inc(1);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.drawn {
            bar.finish_and_clear();
        }
    }
}
