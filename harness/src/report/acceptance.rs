//! What accepting a run changes, as a table for whoever decides and for the message of the commit.

use super::grid::Grid;
use super::{format, tables};
use crate::compare::{Row, Verdict};
use crate::model::metric::{Direction, Kind};

/// Values that change, most serious first, `most` of them; `None` where there are none. New cases and times are left to counts.
pub fn changes<'a>(rows: impl Iterator<Item = &'a Row>, most: usize) -> Option<Grid> {
    let changed = |r: &&Row| r.metric.kind != Kind::Sampled && r.before != r.after && r.before.is_some();
    let mut rows: Vec<_> = rows.filter(changed).collect();
    rows.sort_by_key(|r| r.verdict.is_none_or(|v| v == Verdict::Unchanged));
    let mut table = tables::table(&["Kernel", "Fixture", "Metric", "Before", "After", "Change", "Verdict", "Why"], 3).with_text_from(6);
    for row in rows.iter().take(most) {
        let value = |v: Option<f64>| v.map_or_else(|| tables::NONE.to_owned(), |v| format::value(row.metric, v));
        table.add_row([
            row.case.kernel.clone(),
            row.case.fixture.clone(),
            row.metric.name.to_owned(),
            value(row.before),
            value(row.after),
            format::change(row.metric, row.before, row.after),
            row.verdict.map_or("shown", Verdict::word).to_owned(),
            why(row),
        ]);
    }
    if rows.len() > most {
        let more = format!("and {} more", rows.len() - most);
        table.add_row([more].into_iter().chain(std::iter::repeat_n(String::new(), 7)));
    }
    (!table.is_empty()).then_some(table)
}

/// Why a change is what it is called.
pub fn why(row: &Row) -> String {
    let better = match row.metric.direction {
        Direction::Higher => "more is better",
        Direction::Lower => "less is better",
    };
    let tolerance = row
        .smallest_detectable
        .map(|t| if t == 0.0 { "any change counts".to_owned() } else { format!("{} are tolerated", format::value(row.metric, t)) });
    match (row.verdict, tolerance) {
        (Some(Verdict::Missing), _) => "it is not measured any more".to_owned(),
        (None, _) | (_, None) => format!("{better}; the policy only shows it"),
        (Some(_), Some(tolerance)) => format!("{better}; {tolerance}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::metric;
    use crate::model::record::Case;
    use crate::report::terminal;

    #[test]
    fn a_row_says_why_it_is_worse() {
        let row = |name: &str, before: f64, after: Option<f64>, verdict, smallest_detectable| Row {
            case: Case { kernel: "int4".into(), fixture: "mlp".into() },
            metric: metric(name).unwrap(),
            before: Some(before),
            after,
            after_error: None,
            verdict,
            smallest_detectable,
            paired: None,
        };
        let rows = [
            row("sqnr_db", 20.0, Some(20.001), Some(Verdict::Unchanged), Some(0.01)),
            row("compression_ratio", 8.0, Some(7.0), Some(Verdict::Regression), Some(0.0)),
            row("encode_seconds_per_mb", 1.0, Some(2.0), None, None),
            row("kl_divergence_max", 1.0, Some(2.0), None, None),
            row("perplexity", 3.0, None, Some(Verdict::Missing), Some(0.1)),
        ];
        assert_eq!(why(&rows[1]), "more is better; any change counts");
        assert_eq!(why(&rows[3]), "less is better; the policy only shows it");
        let text = changes(rows.iter(), 10).map(terminal::show).unwrap();
        let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no '{what}' in\n{text}"));
        assert!(place("compression_ratio") < place("sqnr_db") && !text.contains("seconds"), "{text}");
        assert!(changes(rows.iter(), 2).map(terminal::show).unwrap().contains("and 2 more"));
        assert!(changes(std::iter::empty(), 2).is_none());
    }
}
