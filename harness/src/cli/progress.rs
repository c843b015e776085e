//! Progress of a run: a bar on a terminal, plain lines elsewhere.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::measure::Event;

/// Shows a run's events on standard error.
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cases: usize,
    measured: usize,
    evaluations: usize,
    evaluated: usize,
}

impl Progress {
    /// A bar where standard error is a terminal, lines where it is not, nothing where quiet is asked for.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{prefix:>10} {bar:30} {pos}/{len} {elapsed} (about {eta} left) {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, quiet, state: Mutex::new(State::default()) }
    }

    /// Shows one event.
    pub fn observe(&self, event: &Event<'_>) {
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Event::Started { cases, finished } => {
                state.cases = *cases;
                state.measured = *finished;
                self.begin("measure", *cases, *finished);
                if *finished > 0 {
                    self.line(&format!("resumed: {finished} of {cases} cases were measured before"));
                }
            }
            Event::Generating(name, done, total) => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("generating {name}: {} of {} MB", done / 1_000_000, total / 1_000_000));
                } else if done == total {
                    self.line(&format!("generated {name}: {} MB", total / 1_000_000));
                }
            }
            Event::Measuring(case) => {
                if let Some(bar) = &self.bar {
                    bar.set_message(case.to_string());
                }
            }
            Event::Measured(case, ratio, time) => {
                state.measured += 1;
                let place = format!("{}/{}", state.measured, state.cases);
                self.step(&format!("measured {place}: {case}: {ratio:.3}x in {:.1} s", time.as_secs_f64()));
            }
            Event::Evaluating { cases } => {
                state.evaluations = *cases;
                self.begin("evaluate", *cases, 0);
            }
            Event::Evaluated(case) => {
                state.evaluated += 1;
                self.step(&format!("evaluated {}/{}: {case}", state.evaluated, state.evaluations));
            }
            Event::Failed(case, failure) => {
                state.measured += 1;
                self.step(&format!("FAILED at {}: {case}: {}", failure.stage, failure.message));
            }
        }
    }

    fn begin(&self, what: &'static str, length: usize, position: usize) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(what);
            bar.set_length(length as u64);
            bar.set_position(position as u64);
            bar.reset_eta();
        }
    }

    fn step(&self, text: &str) {
        self.line(text);
        if let Some(bar) = &self.bar {
            bar.inc(1);
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

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
