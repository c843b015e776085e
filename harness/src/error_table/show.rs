//! The table as text for a terminal, as a Markdown document, and as JSON.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::measure::{Outcome, Row, Sample};
use crate::report::{format, terminal as report_terminal};

/// Version of the JSON document.
const VERSION: u32 = 1;
/// An empty cell.
const NONE: &str = "–";

/// `bar` stands for the bar of pipelines, which would end a cell in Markdown.
fn table(rows: &[Row], sample: Sample, bar: &str) -> Table {
    let mut table = Table::new();
    table.set_header([
        "Kernel",
        "Bits a weight",
        "(reference)",
        "Relative error",
        "(reference)",
        "Deviation",
        "Bound",
        "Times bound",
        "Note",
    ]);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if (1..=7).contains(&i) { CellAlignment::Right } else { CellAlignment::Left });
    }
    for row in rows {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        table.add_row([
            row.spec.replace('|', bar),
            or_none(row.bits_per_weight().map(|bits| format!("{bits:.4}"))),
            or_none(row.reference.map(|r| r.bits_per_weight.to_string())),
            or_none(row.relative_error().map(format::number)),
            or_none(row.reference.map(|r| r.relative_error.to_string())),
            or_none(row.deviation().map(format::percent)),
            or_none(row.bound().map(format::number)),
            or_none(row.relative_error().zip(row.bound()).map(|(error, bound)| format!("{:.2}", error / bound))),
            note(row, sample),
        ]);
    }
    table
}

/// Stands for the note that a row was made of fewer weights.
const FEWER_ROWS: &str = "N rows";
/// What is said below the table where a note holds these words; always, where there are none.
const EXPLANATIONS: &[(&str, &str)] = &[
    ("", "*Bits a weight*: all packed parts of the tensor, scales and codebooks included, without the artifact's header."),
    ("", "*Relative error*: Frobenius norm of decoded minus original over that of the original."),
    (
        "",
        "*(reference)*: what others found on such weights, 1024 × 4096; *Deviation*: how far this table's error is from theirs. Where a\n  \
         rate is below the reference's, codes whose base is no power of two are packed more tightly here.",
    ),
    (
        "",
        "*Bound*: 2^−R at R bits a weight, from the rate–distortion function of a Gaussian source. No code of any length is below it. It is of\n  \
         real numbers, so it says nothing where every bit of a float comes back.",
    ),
    (
        "H = I",
        "*H = I*: these kernels make use of the layer's inputs on calibration data. Gaussian weights belong to no layer, so all inputs\n  \
         count the same here, and what the kernels are for does not show.",
    ),
    (
        FEWER_ROWS,
        "*N rows*: this encoder is slow and got the first N rows of the same weights. The error is comparable, because it is a mean over\n  \
         blocks that all have one distribution and are packed alone; only what a tensor stores once weighs more.",
    ),
];

fn note(row: &Row, sample: Sample) -> String {
    let fewer = (row.rows < sample.rows).then(|| format!("{} rows", row.rows));
    let refused = match &row.outcome {
        Outcome::Refused(reason) => Some(format!("refused: {reason}")),
        Outcome::Measured { .. } => None,
    };
    let parts = [refused, fewer, Some(row.note.to_owned()).filter(|note| !note.is_empty())];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Text for a terminal.
pub fn terminal(rows: &[Row], sample: Sample) -> String {
    format!("{}\n", report_terminal::show(table(rows, sample, "|")))
}

/// The document. `command` is what makes it again.
pub fn markdown(rows: &[Row], sample: Sample, command: &str) -> String {
    let Sample { rows: height, columns, sigma, seed } = sample;
    let mut out = format!(
        "# Errors of kernels on Gaussian weights\n\n\
         Made by this command, which prints the same each time:\n\n```sh\n{command}\n```\n\n\
         Weights: {height} × {columns}, Gaussian, standard deviation {sigma}, seed {seed}, f32. Real weights have heavier tails and other errors;\n\
         what a kernel does to a model is what `weighbridge run` measures. This table holds kernels to their definitions, and shows how far\n\
         each is from the best there can be.\n\n"
    );
    let mut table = table(rows, sample, "\\|");
    table.load_preset(presets::ASCII_MARKDOWN);
    let _ = writeln!(out, "{}\n", table.trim_fmt());
    for (needed, explanation) in EXPLANATIONS {
        let fewer = *needed == FEWER_ROWS && rows.iter().any(|row| row.rows < height);
        if needed.is_empty() || fewer || rows.iter().any(|row| row.note.contains(needed)) {
            let _ = writeln!(out, "- {explanation}");
        }
    }
    sources(rows, &mut out);
    out
}

/// Who found the references, each with the kernels it is the source of.
fn sources(rows: &[Row], out: &mut String) {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for reference in rows.iter().filter_map(|row| row.reference) {
        match groups.iter_mut().find(|(source, _)| *source == reference.source) {
            Some((_, specs)) => specs.push(reference.spec),
            None => groups.push((reference.source, vec![reference.spec])),
        }
    }
    if groups.is_empty() {
        return;
    }
    out.push_str("\n## References\n\nAll from other programs than this one; `src/reference.rs` holds the values.\n\n");
    for (source, specs) in groups {
        let specs = specs.iter().map(|spec| format!("`{spec}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "- {source}: {specs}");
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    weighbridge_kernel_errors: u32,
    command: &'a str,
    rows: usize,
    columns: usize,
    sigma: f64,
    seed: u64,
    kernels: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    kernel: &'static str,
    rows: usize,
    bits_per_weight: Option<f64>,
    relative_error: Option<f64>,
    reference: Option<f64>,
    reference_bits_per_weight: Option<f64>,
    source: Option<&'static str>,
    deviation: Option<f64>,
    bound: Option<f64>,
    note: String,
}

/// Everything at full precision.
pub fn json(rows: &[Row], sample: Sample, command: &str) -> serde_json::Result<String> {
    let entry = |row: &Row| Entry {
        kernel: row.spec,
        rows: row.rows,
        bits_per_weight: row.bits_per_weight(),
        relative_error: row.relative_error(),
        reference: row.reference.map(|r| r.relative_error),
        reference_bits_per_weight: row.reference.map(|r| r.bits_per_weight),
        source: row.reference.map(|r| r.source),
        deviation: row.deviation(),
        bound: row.bound(),
        note: note(row, sample),
    };
    let document = Document {
        weighbridge_kernel_errors: VERSION,
        command,
        rows: sample.rows,
        columns: sample.columns,
        sigma: sample.sigma,
        seed: sample.seed,
        kernels: rows.iter().map(entry).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::reference::reference;

    const SAMPLE: Sample = Sample { rows: 8, columns: 256, sigma: 0.02, seed: 1 };

    fn rows() -> Vec<Row> {
        let row = |spec, rows, packed_bytes, relative_error, note| Row {
            spec,
            rows,
            outcome: Outcome::Measured { packed_bytes, weights: rows as u64 * 256, relative_error },
            reference: reference(spec),
            note,
        };
        let refused = Row { outcome: Outcome::Refused("the scale is too large".into()), ..row("nf4", 8, 0, 0.0, "") };
        vec![
            row("f32-raw", 8, 8192, 0.0, "lossless"),
            row("hyper-lattice:packing=planes|entropy", 8, 1300, 0.0364, ""),
            row("vptq", 4, 300, 0.2, "no calibration"),
            refused,
        ]
    }

    #[test]
    fn the_table_as_markdown() {
        insta::assert_snapshot!(markdown(&rows(), SAMPLE, "weighbridge kernels errors"));
    }

    #[test]
    fn the_table_on_a_terminal() {
        insta::assert_snapshot!(terminal(&rows(), SAMPLE));
    }

    #[test]
    fn the_table_as_json() {
        let document: serde_json::Value = serde_json::from_str(&json(&rows(), SAMPLE, "c").unwrap()).unwrap();
        assert_eq!(document["kernels"][1]["reference"], 0.0365);
        assert_eq!(document["kernels"][0]["bound"], serde_json::Value::Null);
        assert_eq!(document["kernels"][2]["bits-per-weight"], 2.34375);
    }
}
