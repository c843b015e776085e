//! Progress of a run: a bar on a terminal, plain lines elsewhere.

use std::sync::Mutex;

use super::bar::Bar;
use crate::measure::Event;

/// Shows a run's events on standard error.
pub struct Progress {
    bar: Bar,
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
        let bar = Bar::new("{prefix:>10} {bar:30} {pos}/{len} {elapsed} (about {eta} left) {wide_msg}", quiet);
        Self { bar, state: Mutex::new(State::default()) }
    }

    /// Shows one event.
    pub fn observe(&self, event: &Event<'_>) {
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Event::Started { cases, finished } => {
                state.cases = *cases;
                state.measured = *finished;
                self.bar.begin("measure", *cases as u64, *finished as u64);
                if *finished > 0 {
                    self.bar.line(&format!("resumed: {finished} of {cases} cases were measured before"));
                }
            }
            Event::Generating(name, done, total) => {
                self.bar.message(|| format!("generating {name}: {} of {} MB", done / 1_000_000, total / 1_000_000));
                if !self.bar.is_drawn() && done == total {
                    self.bar.line(&format!("generated {name}: {} MB", total / 1_000_000));
                }
            }
            Event::Measuring(case) => {
                self.bar.message(|| case.to_string());
            }
            Event::Measured(case, ratio, time) => {
                state.measured += 1;
                let place = format!("{}/{}", state.measured, state.cases);
                self.bar.step(&format!("measured {place}: {case}: {ratio:.3}x in {:.1} s", time.as_secs_f64()));
            }
            Event::Evaluating { cases } => {
                state.evaluations = *cases;
                self.bar.begin("evaluate", *cases as u64, 0);
            }
            Event::Evaluated(case) => {
                state.evaluated += 1;
                self.bar.step(&format!("evaluated {}/{}: {case}", state.evaluated, state.evaluations));
            }
            Event::Failed(case, failure) => {
                state.measured += 1;
                self.bar.step(&format!("FAILED at {}: {case}: {}", failure.stage, failure.message));
            }
        }
    }
}
