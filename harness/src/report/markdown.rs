//! The report as Markdown: verdict, the reviewer's table, what changed, key results, how it was made, what was not tested.

use std::fmt::Write as _;

use super::account::Account;
use super::markdown_table::{aligned as show, escape};
use super::{Report, basis, format, sampled, scaling, tables};

fn fold(out: &mut String, title: &str, body: &str) {
    let _ = writeln!(out, "<details><summary>{title}</summary>\n\n{body}\n\n</details>\n");
}

/// The whole report.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# Weighbridge: {}\n", report.verdict_line());
    if !report.basis.line.is_empty() {
        let _ = writeln!(out, "{}\n", report.basis.line);
    }
    let _ = writeln!(out, "{}\n", show(tables::reviewer(report)));
    let _ = writeln!(
        out,
        "Ratios and speeds are geometric means over fixtures, memory is the largest peak heap of encode or decode and over all kernels the \
         geometric mean, accuracy loss the mean in points of top-1. Times are CPU times of one thread{}.\n",
        match (&report.comparison.paired, report.comparison.same_machine) {
            (Some(_), _) => "",
            (None, true) => "; they are shown, not gated, because they were not sampled beside the baseline's build",
            (None, false) => {
                "; they are shown, not gated, because they were not sampled beside the baseline's build, and the baseline's come from another \
                 machine"
            }
        }
    );
    times(report, &mut out);
    if let Some(table) = tables::changes(report) {
        let _ = writeln!(out, "## What changed\n\n{}\n", show(table));
    }
    out.push_str(&basis::as_markdown(report, show));
    if !report.comparison.failures.is_empty() {
        let _ = writeln!(out, "## Failed cases\n");
        for f in &report.comparison.failures {
            let _ = writeln!(out, "- `{}` at {}: {}", f.case, f.stage, f.message);
        }
        out.push('\n');
    }
    key_results(report, &mut out);
    growth(report, &mut out);
    out.push_str("## How this was measured\n\n");
    out.push_str(&provenance(report));
    if let Some(table) = tables::passed_through(report) {
        fold(&mut out, "Tensors that passed through unchanged (counted in every ratio)", &show(table));
    }
    if let Some(table) = tables::all_judged(report) {
        fold(&mut out, "Every judged metric", &show(table));
    }
    fold(&mut out, "Every value", &show(tables::values(report)));
    out
}

/// The comparison of times, where there was one.
fn times(report: &Report, out: &mut String) {
    let Some(paired) = &report.comparison.paired else { return };
    let _ = writeln!(out, "## Times of both builds\n\n{}\n", paired.lines().join("\n"));
    if let Some(table) = tables::times(report, false) {
        let _ = writeln!(out, "{}\n", show(table));
    }
    if let Some(table) = tables::undecided(report) {
        let _ = writeln!(out, "What would decide the rest:\n\n{}\n", show(table));
    }
    if let Some(table) = tables::times(report, true) {
        fold(out, "Every time that was compared", &show(table));
    }
}

fn key_results(report: &Report, out: &mut String) {
    let _ = writeln!(
        out,
        "## Key results\n\n| Kernel | Compression ratio (target) | Relative error (threshold) | Seconds per MB, encode (target) |"
    );
    let _ = writeln!(out, "|---|---|---|---|");
    let with = |value: Option<f64>, target: Option<f64>, suffix: &str| {
        let show = |v: f64| format!("{}{suffix}", format::number(v));
        let value = value.map_or_else(|| "–".to_owned(), show);
        target.map_or_else(|| value.clone(), |t| format!("{value} ({})", show(t)))
    };
    for summary in report.summaries.iter().filter(|s| s.kernel.is_some()) {
        let [ratio, encode] = [&summary.rows[0], &summary.rows[1]];
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            escape(summary.label()),
            with(ratio.after, ratio.target, "x"),
            with(summary.relative_error, summary.relative_error_target, ""),
            with(encode.after.map(f64::recip), encode.target.map(f64::recip), "")
        );
    }
    out.push('\n');
}

/// Estimates from samples, and exponents over sizes.
fn growth(report: &Report, out: &mut String) {
    if let Some(table) = sampled::table(report) {
        let _ = writeln!(
            out,
            "## Measured on samples\n\nOf large models slow kernels saw a stratified sample. What follows from it is an estimate, marked ≈ wherever it stands, here with its standard error.\n\n{}\n",
            show(table)
        );
    }
    if let Some(table) = scaling::changes(report) {
        let _ = writeln!(out, "## Costs that grow otherwise with size\n\n{}\n", show(table));
    }
    if let Some(table) = scaling::exponents(report) {
        let title = "How costs grow with parameters: exponents of power laws, with 95 % intervals";
        fold(out, title, &show(table));
    }
}

/// Command, commit, machine, fixtures, and what was not tested.
pub fn provenance(report: &Report) -> String {
    let account = Account::of(report);
    let mut out = format!("- command: `{}`\n", account.command);
    for (name, text) in &account.facts {
        let _ = writeln!(out, "- {name}: {text}");
    }
    out.push_str("- fixtures:\n");
    for (name, line) in &account.fixtures {
        let _ = writeln!(out, "  - `{name}`: {line}");
    }
    for line in &account.notes {
        let _ = writeln!(out, "\n{line}");
    }
    out.push('\n');
    out
}
