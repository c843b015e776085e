//! Tables of exponents: how each kernel's costs grow with the parameters of a model.

use super::grid::Grid;
use super::{Report, format, tables};
use crate::compare::Verdict;
use crate::scaling::{Fit, QUANTITIES, ScalingRow};

/// An exponent with its 95 % interval.
fn exponent(fit: &Fit) -> String {
    format!("{:.3} ± {:.3}", fit.exponent, fit.half_width)
}

/// One line a kernel, one column a cost; nothing where no kernel was measured on models of sizes that are far enough apart.
pub fn exponents(report: &Report) -> Option<Grid> {
    let rows = &report.comparison.scaling;
    let mut kernels: Vec<&str> = rows.iter().map(|r| r.kernel.as_str()).collect();
    kernels.dedup();
    let header: Vec<&str> = ["Kernel", "Models", "Parameters"].into_iter().chain(QUANTITIES.iter().map(|q| q.title)).collect();
    let mut table = tables::table(&header, 1);
    for kernel in &kernels {
        let mine: Vec<&ScalingRow> = rows.iter().filter(|r| r.kernel == *kernel).collect();
        let Some(most) = mine.iter().max_by_key(|r| r.after.points) else { continue };
        let span = format!("{} to {}", format::number(most.span.0), format::number(most.span.1));
        let cell = |name: &str| {
            let row = mine.iter().find(|r| r.quantity.name == name);
            row.map_or_else(|| tables::NONE.to_owned(), |r| exponent(&r.after))
        };
        let first = [(*kernel).to_owned(), most.after.points.to_string(), span];
        table.add_row(first.into_iter().chain(QUANTITIES.iter().map(|q| cell(q.name))));
    }
    (!kernels.is_empty()).then_some(table)
}

/// Exponents that are not as in the baseline.
pub fn changes(report: &Report) -> Option<Grid> {
    let mut table = tables::table(&["Kernel", "Cost", "Exponent before", "After", "Growth", "Seen from", "Verdict"], 2);
    for row in &report.comparison.scaling {
        let Some(verdict) = row.verdict.filter(|v| *v != Verdict::Unchanged) else { continue };
        table.add_row([
            row.kernel.clone(),
            row.quantity.title.to_owned(),
            row.before.as_ref().map_or_else(|| tables::NONE.to_owned(), exponent),
            exponent(&row.after),
            row.growth.map_or_else(|| tables::NONE.to_owned(), |g| format!("{:+.4}", g.exponent)),
            row.tolerance.map_or_else(|| tables::NONE.to_owned(), |t| t.to_string()),
            verdict.word().to_owned(),
        ]);
    }
    (!table.is_empty()).then_some(table)
}
