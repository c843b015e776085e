//! Puts verdict, tables, plots and data into the template.

use minijinja::{Environment, value::Serde};
use serde::Serialize;

use super::data;
use crate::compare::{Outcome, Verdict};
use crate::report::account::Account;
use crate::report::grid::Grid;
use crate::report::plot::{Figure, PLOTS, PlotError, for_page};
use crate::report::{Report, basis, scaling, tables, words};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Changed rows that stand in the page itself. All are among the values below.
const MOST_CHANGES: usize = 200;

/// A page that could not be written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant wraps the error of one part")]
pub enum PageError {
    #[error("cannot draw a plot: {0}")]
    Plot(#[from] PlotError),
    #[error("cannot fill the template: {0}")]
    Template(#[from] minijinja::Error),
    #[error("cannot write the data: {0}")]
    Data(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct Drawn<'a> {
    id: &'a str,
    title: &'a str,
    caption: &'a str,
    svg: String,
    rows: usize,
}

#[derive(Serialize)]
struct Shown {
    header: Vec<String>,
    numbers_from: usize,
    text_again: usize,
    rows: Vec<Vec<String>>,
    left_out: usize,
}

impl Shown {
    fn of(mut grid: Grid) -> Self {
        let left_out = grid.rows.len().saturating_sub(MOST_CHANGES);
        grid.rows.truncate(MOST_CHANGES);
        Self { header: grid.header, numbers_from: grid.first_number, text_again: grid.text_again, rows: grid.rows, left_out }
    }
}

/// All that the template names.
#[derive(Serialize)]
struct Contents<'a> {
    style: &'a str,
    script: &'a str,
    suite: &'a str,
    started: &'a str,
    verdict: String,
    counts: String,
    tone: &'a str,
    five: Option<Shown>,
    failures: Vec<(String, String, String)>,
    changes: Option<Shown>,
    undecided: Option<Shown>,
    times: Vec<String>,
    growth: Option<Shown>,
    judged_by: &'a str,
    edited: Option<String>,
    edits: Option<Shown>,
    waivers: Option<Shown>,
    warnings: Vec<String>,
    kernels: usize,
    figures: Vec<Drawn<'a>>,
    values: usize,
    judged: usize,
    changed: usize,
    passed_through: usize,
    account: Account,
    data: String,
}

/// The class that gives the verdict its colour; its words say the same.
const fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "good",
        Outcome::Inconclusive | Outcome::Unfit => "unsure",
        Outcome::CaseFailed | Outcome::Regression | Outcome::Missing => "bad",
    }
}

/// The whole page.
pub fn render(report: &Report) -> Result<String, PageError> {
    let mut figures: Vec<Figure> = Vec::new();
    for draw in PLOTS {
        figures.extend(draw(report)?);
    }
    let drawn: Vec<_> = figures
        .iter()
        .map(|f| Drawn { id: &f.id, title: &f.title, caption: &f.caption, svg: for_page(&f.svg), rows: f.data.rows.len() })
        .collect();
    let c = &report.comparison;
    let contents = Contents {
        style: STYLE,
        script: SCRIPT,
        suite: &report.header.suite,
        started: &report.header.started,
        verdict: words::verdict(report),
        counts: words::counts(report),
        tone: tone(c.outcome()),
        five: report.summaries.last().map(|all| Shown::of(tables::five_rows(all))),
        failures: c.failures.iter().map(|f| (f.case.to_string(), f.stage.clone(), f.message.clone())).collect::<Vec<_>>(),
        changes: Some(tables::changes_with_intervals(report)).filter(|g| !g.is_empty()).map(Shown::of),
        undecided: tables::undecided(report).map(Shown::of),
        times: report.time_lines(),
        growth: scaling::changes(report).map(Shown::of),
        judged_by: &report.basis.line,
        edited: report.basis.edits_line(&report.waivers),
        edits: basis::edits(&report.basis, usize::MAX).map(Shown::of),
        waivers: basis::waivers(report).map(Shown::of),
        warnings: basis::warnings(report),
        kernels: report.summaries.len().saturating_sub(1),
        figures: drawn,
        values: c.rows.len(),
        judged: c.rows.iter().filter(|r| r.verdict.is_some()).count(),
        changed: c.rows.iter().filter(|r| !matches!(r.verdict, None | Some(Verdict::Unchanged | Verdict::New))).count(),
        passed_through: report.passed_through.len(),
        account: Account::of(report),
        data: data::json(report, &figures)?,
    };
    let mut environment = Environment::new();
    // The name ends in .html, so that every value is escaped unless it is marked as safe.
    environment.add_template("page.html", TEMPLATE)?;
    Ok(environment.get_template("page.html")?.render(Serde(contents))?)
}
