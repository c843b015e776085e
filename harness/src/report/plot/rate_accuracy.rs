//! Bits a weight against what accuracy is lost, with the kernels that no other beats on both.

use super::axis::{Axis, Scale, cell};
use super::canvas::{self, Entry, INK, Layout, PlotError};
use super::figure::Figure;
use super::marker::Marker;
use super::values::{Values, mean};
use crate::report::Report;
use crate::report::grid::Grid;

/// Losses below this many points are spread evenly: they are within the error of most evaluations.
const LINEAR_BELOW: f64 = 0.1;

const METRIC: &str = "accuracy_loss_percent";

/// Means of a kernel over the fixtures that have an accuracy.
struct Mean<'a> {
    kernel: &'a str,
    bits: f64,
    loss: f64,
}

/// Indices of those that no other beats in both: lower left, from the fewest bits on.
fn front(means: &[Mean<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..means.len()).collect();
    order.sort_by(|&a, &b| means[a].bits.total_cmp(&means[b].bits).then(means[a].loss.total_cmp(&means[b].loss)));
    let mut best = f64::INFINITY;
    order.retain(|&i| {
        let better = means[i].loss < best;
        best = best.min(means[i].loss);
        better
    });
    order
}

/// The figure; nothing where no fixture has an accuracy.
pub fn draw(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let values = Values::of(report);
    let with_accuracy = |f: &&str| values.kernels.iter().any(|k| values.after(k, f, METRIC).is_some());
    let fixtures: Vec<&str> = values.fixtures.iter().copied().filter(with_accuracy).collect();
    let mut cases = Vec::new();
    let mut means = Vec::new();
    for &kernel in &values.kernels {
        let mine: Vec<(usize, f64, f64)> = fixtures
            .iter()
            .enumerate()
            .filter_map(|(i, f)| Some((i, values.after(kernel, f, "bits_per_weight")?, values.after(kernel, f, METRIC)?)))
            .collect();
        // A mean over fewer fixtures is another quantity, and has no place beside the others.
        if mine.len() == fixtures.len()
            && let (Some(bits), Some(loss)) =
                (mean(&mine.iter().map(|c| c.1).collect::<Vec<_>>()), mean(&mine.iter().map(|c| c.2).collect::<Vec<_>>()))
        {
            means.push(Mean { kernel, bits, loss });
        }
        cases.extend(mine.into_iter().map(|(i, bits, loss)| (kernel, i, bits, loss)));
    }
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let best = front(&means);
    let mut legend = vec![
        Entry { marker: Some(Marker::of_series(0).coloured(INK)), name: "mean, on the Pareto front".to_owned() },
        Entry { marker: Some(Marker::of_series(0).coloured(INK).hollow(true)), name: "mean of another kernel".to_owned() },
    ];
    legend.extend(fixtures.iter().enumerate().map(|(i, f)| Entry { marker: Some(Marker::of_series(i)), name: (*f).to_owned() }));
    let layout = Layout {
        height: 620,
        x: Axis::over("bits per weight, whole artifact", Scale::Log, cases.iter().map(|c| c.2)),
        y: Axis::over("accuracy lost, points", Scale::SignedLog(LINEAR_BELOW), cases.iter().map(|c| c.3)),
        left: 70,
        legend,
    };
    let svg = canvas::draw(&layout, |frame| {
        frame.line(layout.x.values_at_ends().map(|x| (x, 0.0)), INK, 1, 0.5)?;
        for (_, i, bits, loss) in &cases {
            frame.mark(Marker::of_series(*i).behind(), *bits, *loss)?;
        }
        // A step: between two kernels of the front the one with fewer bits is the best there is.
        let corners = best.windows(2).flat_map(|w| [(means[w[0]].bits, means[w[0]].loss), (means[w[1]].bits, means[w[0]].loss)]);
        let last = best.last().map(|&i| (means[i].bits, means[i].loss));
        frame.line(corners.chain(last), INK, 2, 0.7)?;
        let named = |i: usize| (means[i].bits, means[i].loss, means[i].kernel);
        for (i, m) in means.iter().enumerate() {
            frame.mark(Marker::of_series(0).coloured(INK).hollow(!best.contains(&i)), m.bits, m.loss)?;
        }
        let others = (0..means.len()).filter(|i| !best.contains(i));
        frame.names(&best.iter().copied().chain(others).map(named).collect::<Vec<_>>()).map(|_| ())
    })?;
    let mut data = Grid::new(&["Kernel", "Fixture", "On the front", "Bits per weight", "Accuracy lost, points"], 3);
    for (i, m) in means.iter().enumerate() {
        let on_front = if best.contains(&i) { "yes" } else { "no" };
        let names = [m.kernel.to_owned(), format!("mean of {}", fixtures.len()), on_front.to_owned()];
        data.add_row(names.into_iter().chain([cell(Some(m.bits)), cell(Some(m.loss))]));
    }
    for (kernel, i, bits, loss) in &cases {
        data.add_row([(*kernel).to_owned(), fixtures[*i].to_owned(), String::new(), cell(Some(*bits)), cell(Some(*loss))]);
    }
    Ok(vec![Figure {
        id: "rate-accuracy".to_owned(),
        title: "Rate and accuracy".to_owned(),
        caption: format!(
            "Left and below is better. The line joins the kernels that no other beats in bits and mean accuracy at once. The axis of losses is even below {LINEAR_BELOW} points and logarithmic above."
        ),
        svg,
        data,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_holds_what_nothing_beats() {
        let means =
            [(8.0, 0.0), (4.0, 1.0), (4.0, 0.5), (5.0, 0.7), (2.0, 9.0), (16.0, 0.0)].map(|(bits, loss)| Mean { kernel: "", bits, loss });
        assert_eq!(front(&means), [4, 2, 0]);
    }
}
