//! Prints the false alarms and the power of the time comparison, from simulated gates under known noise. Takes the number of gates, 10,000 at first.

use std::process::ExitCode;

use weighbridge_harness::stats::simulate::{SCENARIOS, markdown, simulate};
use weighbridge_harness::stats::trial::{Plan, Schedule};

fn main() -> ExitCode {
    let gates = match std::env::args().nth(1).as_deref().unwrap_or("10000").parse::<usize>() {
        Ok(gates) => gates.div_ceil(SCENARIOS.len()),
        Err(error) => {
            eprintln!("the number of gates is no number: {error}");
            return ExitCode::from(2);
        }
    };
    let schedule = match Schedule::new(Plan::default()) {
        Ok(schedule) => schedule,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let results = SCENARIOS.iter().map(|scenario| (*scenario, simulate(scenario, &schedule, gates, 1))).collect::<Vec<_>>();
    print!("{}", markdown(&results));
    ExitCode::SUCCESS
}
