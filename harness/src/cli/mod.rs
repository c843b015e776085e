//! The command line: arguments, commands, exit codes.

mod arguments;
mod artifact;
mod bar;
mod baseline;
mod bisect;
mod calibrate;
mod doctor;
mod dry_run;
mod error;
mod error_table;
mod fetching;
mod figures;
mod fixtures;
mod gate;
mod generated;
mod golden;
mod history;
mod init;
mod kernels;
mod list;
mod merge_baseline;
mod notes;
mod paired;
mod progress;
mod reporting;
mod self_test;
mod verify;
mod workspace;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use weighbridge::registry::Registry;

use crate::seed_lists;
use crate::worker::client::show_workers;
use crate::worker::{heap, serve};
use arguments::{BaselineCommand, Cli, Command, FixturesCommand, GoldenCommand, KernelsCommand};
pub use error::{CliError, Exit};

/// Parses the command line, carries it out, and gives the exit code.
pub fn main(registry: Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { Exit::Usage.into() } else { Exit::Pass.into() };
        }
    };
    match carry_out(cli, registry) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            if let Some(hint) = error.hint() {
                let _ = writeln!(anstream::stderr(), "hint: {hint}");
            }
            error.exit().into()
        }
    }
}

fn carry_out(cli: Cli, registry: Registry) -> Result<Exit, CliError> {
    let root = cli.root.as_deref();
    if cli.verbose {
        show_workers();
    }
    match cli.command {
        Command::List(arguments) => list::list(&arguments, root, &registry),
        Command::Kernels { command: KernelsCommand::List { format } } => kernels::list(format, &registry),
        Command::Kernels { command: KernelsCommand::Show(arguments) } => kernels::show(&arguments, &registry),
        Command::Kernels { command: KernelsCommand::Errors(arguments) } => error_table::errors(&arguments, &registry),
        Command::Fixtures { command: FixturesCommand::List { format } } => fixtures::list(format, root),
        Command::Fixtures { command: FixturesCommand::Fetch(arguments) } => fixtures::fetch(&arguments, root),
        Command::Fixtures { command: FixturesCommand::Generate(arguments) } => generated::generate(&arguments, root),
        Command::Fixtures { command: FixturesCommand::Figures(arguments) } => figures::figures(&arguments, root),
        Command::Fixtures { command: FixturesCommand::Statistics(arguments) } => generated::statistics(&arguments),
        Command::Fixtures { command: FixturesCommand::Convert(arguments) } => fixtures::convert(&arguments),
        Command::Run(arguments) => gate::run(&arguments, root, &registry),
        Command::Merge(arguments) => gate::merge(&arguments, root),
        Command::Compare(arguments) => gate::compare(&arguments, root),
        Command::Gate(arguments) => gate::gate(&arguments, root, &registry),
        Command::Report(arguments) => gate::report(&arguments, root),
        Command::Calibrate(arguments) => calibrate::calibrate(&arguments, root, &registry),
        Command::Baseline { command: BaselineCommand::Accept(arguments) } => baseline::accept(&arguments, root, &registry),
        Command::Baseline { command: BaselineCommand::Merge(arguments) } => merge_baseline::merge(&arguments, root),
        Command::History(arguments) => history::history(&arguments, root),
        Command::Bisect(arguments) => bisect::bisect(&arguments, root, &registry),
        Command::Golden { command: GoldenCommand::Add(arguments) } => golden::add(&arguments, root, &registry),
        Command::Verify(arguments) => verify::verify(&arguments, root, &registry),
        Command::Encode(arguments) => artifact::encode(&arguments, &registry),
        Command::Decode(arguments) => artifact::decode(&arguments, &registry),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Init(arguments) => init::init(&arguments, root),
        Command::Worker { memory_limit, extra_work, fault, seed_lists } => {
            heap::set_limit(memory_limit.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX));
            seed_lists.as_deref().map(seed_lists::give);
            serve::serve(registry, serve::Planted { extra_work, fault }, std::io::stdin().lock(), std::io::stdout().lock())?;
            Ok(Exit::Pass)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "weighbridge", &mut std::io::stdout());
            Ok(Exit::Pass)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
            Ok(Exit::Pass)
        }
    }
}
