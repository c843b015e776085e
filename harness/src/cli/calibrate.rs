//! `calibrate`: false alarms and detection of the comparison of times, on this machine.

use std::collections::BTreeMap;
use std::path::Path;

use weighbridge::registry::Registry;
use weighbridge::sample::splitmix;

use super::arguments::{CalibrateArguments, TableFormat};
use super::gate::{command_line, put};
use super::paired::{candidate_of, plan_of};
use super::workspace::{Workspace, own_worker};
use super::{CliError, Exit};
use crate::builds::{Build, BuildError, Layout, Maker};
use crate::calibrate::record::{Header, Key, VERSION};
use crate::calibrate::{self, Class, Setting, Trials};
use crate::model::machine::Machine;
use crate::model::record::Case;
use crate::paired::item::{Candidate, Item};
use crate::paired::shuffled;
use crate::specification::resolve;
use crate::stats::trial::Schedule;
use crate::worker::client::Launch;

/// Copies of this program, half of them a side.
const COPIES: u32 = 32;

/// `calibrate`.
pub fn calibrate(arguments: &CalibrateArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let unexpected = |e: &dyn std::fmt::Display| CliError::Unexpected(e.to_string());
    let schedule = Schedule::new(plan_of(&workspace.policy()?)).map_err(|e| unexpected(&e))?;
    let classes = Class::chosen(&arguments.kernel, &arguments.fixture, arguments.operation);
    let path = match &arguments.output {
        Some(path) => path.clone(),
        None => workspace.output(None)?.join("calibrate.jsonl"),
    };
    let header = Header {
        weighbridge_calibrate: VERSION,
        started: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        machine: Machine::current(),
        comparison_ns: nanoseconds(arguments.seconds_per_comparison)?,
        batch_ns: u64::try_from(arguments.batch.as_nanos()).unwrap_or(u64::MAX),
        clocks: if arguments.clock.is_empty() { calibrate::CLOCKS.to_vec() } else { arguments.clock.clone() },
        seed: arguments.seed.unwrap_or(1),
    };
    let mut trials = Trials::open(&path, header, arguments.seed)?;
    let own = own_worker(std::time::Duration::from_secs(300), 4 << 30)?;
    let scratch = tempfile::tempdir()?;
    let candidates =
        classes.iter().map(|class| candidate(class, &workspace, registry, &own, scratch.path())).collect::<Result<Vec<_>, _>>()?;
    let open = |trials: &Trials| {
        let keys = (1..=arguments.rounds).flat_map(|round| {
            let of_class = move |(class, c): (&Class, &Candidate)| {
                let item = Item { case: c.case.clone(), operation: class.operation };
                let class = class.name.clone();
                arguments.share.iter().map(move |percent| Key { class: class.clone(), item: item.clone(), share: percent / 100.0, round })
            };
            classes.iter().zip(&candidates).flat_map(of_class).collect::<Vec<_>>()
        });
        keys.filter(|key| !trials.holds(key)).collect::<Vec<_>>()
    };
    let open = open(&trials);
    if !open.is_empty() {
        let variants = variants(arguments, &workspace)?;
        let comparison = std::time::Duration::from_nanos(trials.header.comparison_ns);
        let (batch_ns, clocks) = (trials.header.batch_ns, trials.header.clocks.clone());
        let setting = Setting { schedule: &schedule, own: &own, comparison, batch_ns, clocks: &clocks, scratch: scratch.path() };
        let mut asked = BTreeMap::new();
        for (done, key) in open.iter().enumerate() {
            let at = candidates.iter().position(|c| c.case == key.item.case).unwrap_or(0);
            // Every second round compares links, where there are some.
            let build = &variants[usize::try_from(key.round).unwrap_or(0) % variants.len()];
            let seed = splitmix(splitmix(trials.header.seed, u64::from(key.round)), key.share.to_bits() ^ at as u64);
            let [baseline, other] = halves(build, seed);
            if !arguments.quiet {
                eprintln!("trial {}/{}: round {}, {} % more of {}", done + 1, open.len(), key.round, 100.0 * key.share, key.item);
            }
            let failed = |e: String| CliError::Unexpected(format!("cannot time {}: {e}", key.item));
            let (candidate, sides) = (&candidates[at], [&baseline, &other]);
            let planted = match asked.get(&(at, key.share.to_bits())) {
                Some(&planted) => planted,
                None if key.share == 0.0 => None,
                None => Some(calibrate::asked(&setting, key.share, candidate, sides).map_err(failed)?),
            };
            asked.insert((at, key.share.to_bits()), planted);
            let trial = calibrate::measure(&setting, key.clone(), planted, candidate, sides, seed).map_err(failed)?;
            trials.append(trial)?;
        }
    }
    if trials.trials.is_empty() {
        return Err(CliError::Usage(format!("'{}' holds no trial; ask for some with '--rounds'", path.display())));
    }
    let rows =
        calibrate::rows(&schedule, &trials.trials, trials.header.comparison_ns, &trials.header.clocks).map_err(|e| unexpected(&e))?;
    let text = match arguments.format {
        TableFormat::Table => calibrate::terminal(&rows, &trials.header, &trials.trials),
        TableFormat::Markdown => calibrate::markdown(&rows, &trials.header, &trials.trials, &classes, &command_line()),
        TableFormat::Json => calibrate::json(&rows, &trials.header, &trials.trials, &command_line()).map_err(|e| unexpected(&e))?,
    };
    put(None, &text)?;
    if !arguments.quiet {
        eprintln!("raw trials are in '{}'", path.display());
    }
    Ok(Exit::Pass)
}

/// What a class is timed on.
fn candidate(class: &Class, workspace: &Workspace, registry: &Registry, own: &Launch, scratch: &Path) -> Result<Candidate, CliError> {
    let kernel = resolve(&class.kernel, &workspace.root, registry)?.kernel;
    let fixtures = workspace.fixtures()?;
    let unknown = || CliError::Usage(format!("unknown fixture '{}'; 'weighbridge list fixtures' prints them", class.fixture));
    let fixture = fixtures.iter().find(|f| f.name() == class.fixture).ok_or_else(unknown)?;
    let case = Case { kernel: kernel.spec(), fixture: class.fixture.clone() };
    candidate_of(&case, &kernel.text(), fixture, class.operation, false, own, scratch)
}

/// The programs that are compared: copies of this one, and links of the work tree's source where they can be made. Odd rounds take the last.
fn variants(arguments: &CalibrateArguments, workspace: &Workspace) -> Result<Vec<Build>, CliError> {
    let say = |line: &str| {
        if !arguments.quiet {
            eprintln!("{line}");
        }
    };
    let maker = |variants| Maker { root: &workspace.root, variants, say: &say };
    let mut all = vec![maker(COPIES).program(&std::env::current_exe()?, "calibrate")?];
    if arguments.links > 0 {
        match maker(2 * arguments.links).work_tree() {
            Ok(build) if build.layout == Layout::Relinked => all.push(build),
            Ok(_) => say("this linker cannot shuffle sections: copies are compared alone"),
            Err(error @ (BuildError::Failed { .. } | BuildError::NoCargo { .. } | BuildError::NoProgram { .. })) => {
                say(&format!("no links can be made, copies are compared alone: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// Two sides of one build, each with half of its variants, drawn anew for each trial.
fn halves(build: &Build, seed: u64) -> [Build; 2] {
    let order = shuffled(build.variants.len(), seed);
    let (first, second) = order.split_at(order.len().div_ceil(2));
    [first, second].map(|half| Build { variants: half.iter().map(|&i| build.variants[i].clone()).collect(), ..build.clone() })
}

fn nanoseconds(seconds: f64) -> Result<u64, CliError> {
    let time = std::time::Duration::try_from_secs_f64(seconds);
    let time = time.map_err(|e| CliError::Usage(format!("'{seconds}' is no time for a comparison: {e}")))?;
    Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
