//! The page's data: names once, rows as columns of numbers.

use serde::Serialize;

use crate::compare::Verdict;
use crate::model::metric::{METRICS, Metric};
use crate::report::grid::Grid;
use crate::report::plot::Figure;
use crate::report::{Report, tables, words};

#[derive(Serialize)]
struct Named {
    name: &'static str,
    unit: &'static str,
    doc: &'static str,
}

/// All rows; each index points into a list of names, and −1 says that there is no verdict.
#[derive(Serialize)]
struct Rows {
    kernel: Vec<usize>,
    fixture: Vec<usize>,
    metric: Vec<usize>,
    before: Vec<Option<f64>>,
    after: Vec<Option<f64>>,
    half: Vec<Option<f64>>,
    seen: Vec<Option<f64>>,
    verdict: Vec<i8>,
    /// Of rows whose times were taken of both builds in turns: index, change, and the ends of its interval.
    paired: Vec<(usize, Option<f64>, Option<[f64; 2]>)>,
    /// Indices of rows whose value after is an estimate.
    estimates: Vec<usize>,
}

#[derive(Serialize)]
struct Table<'a> {
    id: &'a str,
    header: &'a [String],
    numbers_from: usize,
    text_again: usize,
    rows: &'a [Vec<String>],
}

impl<'a> Table<'a> {
    fn of(id: &'a str, grid: &'a Grid) -> Self {
        Self { id, header: &grid.header, numbers_from: grid.first_number, text_again: grid.text_again, rows: &grid.rows }
    }
}

#[derive(Serialize)]
struct Data<'a> {
    kernels: Vec<&'a str>,
    fixtures: Vec<&'a str>,
    metrics: Vec<Named>,
    verdicts: Vec<&'static str>,
    rows: Rows,
    tables: Vec<Table<'a>>,
}

/// Verdicts by their place in the list; the order in which a reader wants them sorted.
const VERDICTS: [Verdict; 8] = [
    Verdict::Failed,
    Verdict::Regression,
    Verdict::Missing,
    Verdict::Inconclusive,
    Verdict::Waived,
    Verdict::Improvement,
    Verdict::New,
    Verdict::Unchanged,
];

/// Names in the order in which they are met, and where each is.
#[derive(Default)]
struct Names<'a> {
    list: Vec<&'a str>,
    index: std::collections::BTreeMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn index_of(&mut self, name: &'a str) -> usize {
        let next = self.list.len();
        let index = *self.index.entry(name).or_insert(next);
        if index == next {
            self.list.push(name);
        }
        index
    }
}

/// The data as JSON that a page may hold: no `<` could end its script.
pub fn json(report: &Report, figures: &[Figure]) -> serde_json::Result<String> {
    let (mut kernels, mut fixtures) = (Names::default(), Names::default());
    let source = &report.comparison.rows;
    let position = |metric: &Metric| METRICS.iter().position(|m| m.name == metric.name).unwrap_or_default();
    let verdict = |v: Option<Verdict>| VERDICTS.iter().position(|w| Some(*w) == v).and_then(|i| i8::try_from(i).ok()).unwrap_or(-1);
    let estimates = source.iter().enumerate().filter(|(_, r)| r.after.is_some() && report.is_estimate(&r.case, r.metric.name));
    let rows = Rows {
        kernel: source.iter().map(|r| kernels.index_of(&r.case.kernel)).collect(),
        fixture: source.iter().map(|r| fixtures.index_of(&r.case.fixture)).collect(),
        metric: source.iter().map(|r| position(r.metric)).collect(),
        before: source.iter().map(|r| r.before).collect(),
        after: source.iter().map(|r| r.after).collect(),
        half: source.iter().map(words::half_interval).collect(),
        seen: source.iter().map(|r| r.smallest_detectable).collect(),
        verdict: source.iter().map(|r| verdict(r.verdict)).collect(),
        paired: source.iter().enumerate().filter_map(|(i, r)| r.paired.as_ref().map(|p| (i, p.change, p.interval))).collect(),
        estimates: estimates.map(|(i, _)| i).collect(),
    };
    let kernel_table = tables::kernels(report);
    let passed = tables::passed_through(report).unwrap_or_else(|| Grid::new(&[], 0));
    let mut tables = vec![Table::of("kernels", &kernel_table), Table::of("passed-through", &passed)];
    tables.extend(figures.iter().map(|f| Table::of(&f.id, &f.data)));
    let data = Data {
        kernels: kernels.list,
        fixtures: fixtures.list,
        metrics: METRICS.iter().map(|m| Named { name: m.name, unit: m.unit, doc: m.doc }).collect(),
        verdicts: VERDICTS.map(Verdict::word).to_vec(),
        rows,
        tables,
    };
    Ok(serde_json::to_string(&data)?.replace('<', "\\u003c"))
}
