//! `doctor`: what this machine can measure, and what to do about the rest.

use serde_json::json;

use super::arguments::{DoctorArguments, ListFormat};
use super::gate::put;
use super::{CliError, Exit};
use crate::doctor::{CHECKS, State};
use crate::model::machine::Machine;

/// `doctor`. Exit code 7 where nothing can be measured.
pub fn doctor(arguments: &DoctorArguments) -> Result<Exit, CliError> {
    let (mut worst, mut found) = (State::Good, Vec::new());
    for check in CHECKS {
        let finding = (check.run)();
        worst = worst.max(finding.state);
        match arguments.format {
            ListFormat::Table => {
                let word = match finding.state {
                    State::Good => "ok",
                    State::Limited => "limited",
                    State::Stops => "STOPS",
                };
                let advice = finding.advice.map_or_else(String::new, |advice| format!(". {advice}"));
                put(None, &format!("{word:8} {:10} {}{advice}\n", check.name, finding.found))?;
            }
            ListFormat::Json => found.push(json!({
                "check": check.name,
                "asks": check.doc,
                "state": finding.state,
                "found": finding.found,
                "advice": finding.advice,
                "figures": finding.figures,
            })),
        }
    }
    if arguments.format == ListFormat::Json {
        let machine = Machine::current();
        let report = json!({
            "weighbridge-doctor": 1,
            "machine": machine,
            "fingerprint": machine.fingerprint(),
            "state": worst,
            "findings": found,
        });
        put(None, &format!("{report:#}\n"))?;
    }
    Ok(if worst == State::Stops { Exit::Unfit } else { Exit::Pass })
}
