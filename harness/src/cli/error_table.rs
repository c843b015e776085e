//! `kernels errors`: the table of errors on Gaussian weights.

use weighbridge::registry::Registry;

use super::arguments::{ErrorsArguments, TableFormat};
use super::gate::put;
use super::{CliError, Exit};
use crate::error_table::{self, Sample};
use crate::filter::Filter;

/// `kernels errors`.
pub fn errors(arguments: &ErrorsArguments, registry: &Registry) -> Result<Exit, CliError> {
    let ErrorsArguments { rows, cols: columns, scale: sigma, seed, ref kernel, format, ref output, quiet } = *arguments;
    let sample = Sample { rows, columns, sigma, seed };
    let filter = Filter::new(kernel, &[], &[])?;
    let observe = |done: usize, all: usize, spec: &str| {
        if !quiet {
            eprintln!("{}/{all} {spec}", done + 1);
        }
    };
    let rows = error_table::measure(sample, &filter, registry, &observe)?;
    let command = command(arguments);
    let text = match format {
        TableFormat::Table => error_table::terminal(&rows, sample),
        TableFormat::Markdown => error_table::markdown(&rows, sample, &command),
        TableFormat::Json => {
            error_table::json(&rows, sample, &command).map_err(|e| CliError::Unexpected(format!("cannot write the table: {e}")))?
        }
    };
    put(output.as_deref(), &text)?;
    Ok(Exit::Pass)
}

/// The command that gives the same table, with what is default written out.
fn command(arguments: &ErrorsArguments) -> String {
    let ErrorsArguments { rows, cols, scale, seed, kernel, .. } = arguments;
    let mut text = format!("cargo run --release -- kernels errors --rows {rows} --cols {cols} --scale {scale} --seed {seed}");
    for glob in kernel {
        text += &format!(" --kernel '{glob}'");
    }
    text + " --format markdown"
}
