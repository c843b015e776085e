//! Tasks where each row has one right class: images, characters, tokens, chunks of sound.

use std::f64::consts::LN_2;

use super::distribution::Row;
use super::sample::Sample;
use super::{Score, agreement, bootstrap, percent, rank};
use crate::evaluate::Outputs;
use crate::fixture::Task;

/// Scores against the right classes.
pub(super) fn score(task: Task, targets: &[u32], reference: &Outputs, candidate: &Outputs) -> Vec<Score> {
    let rows = targets.iter().enumerate().map(|(i, &t)| Row::new(reference.row(i), candidate.row(i), t)).collect::<Vec<_>>();
    let sample = |value: fn(&Row) -> f64| Sample::new(rows.iter().map(value).collect(), &reference.groups);
    let plain = |metric, sample: &Sample| Score::new(metric, sample.mean, sample.error);
    let mut scores = vec![
        plain("top1_accuracy", &sample(|r| percent(r.right))),
        plain("accuracy_loss_percent", &sample(|r| percent(r.reference_right) - percent(r.right))),
    ];
    scores.extend(agreement::of(&rows.iter().map(|r| r.change).collect::<Vec<_>>(), &reference.groups));
    if matches!(task, Task::NextCharacter | Task::NextToken) {
        let (surprise, increase) = (sample(|r| r.surprise), sample(|r| r.surprise - r.reference_surprise));
        let (perplexity, ratio) = (surprise.mean.exp(), increase.mean.exp());
        scores.push(Score::new("perplexity", perplexity, perplexity * surprise.error));
        scores.push(Score::new("perplexity_increase_percent", 100.0 * (ratio - 1.0), 100.0 * ratio * increase.error));
        if task == Task::NextCharacter {
            scores.push(Score::new("bits_per_char", surprise.mean / LN_2, surprise.error / LN_2));
        }
    }
    if task == Task::Speech {
        scores.extend(detection(targets, reference, candidate));
    }
    scores
}

/// Area under the curve of the second class's logit over the first's; clips are drawn for its error.
fn detection(targets: &[u32], reference: &Outputs, candidate: &Outputs) -> [Score; 2] {
    let starts = reference.starts();
    let area = |outputs: &Outputs, clips: &[usize]| {
        let rows = clips.iter().flat_map(|&clip| starts[clip]..starts[clip + 1]);
        let odds = |i: usize| f64::from(outputs.row(i)[1]) - f64::from(outputs.row(i)[0]);
        let (scores, positive): (Vec<_>, Vec<_>) = rows.map(|i| (odds(i), targets[i] == 1)).unzip();
        rank::auc(&scores, &positive)
    };
    let found = bootstrap::paired(reference.groups.len(), |clips| [area(candidate, clips), area(reference, clips)]);
    [Score::new("auc", found.value, found.error), Score::new("auc_loss", -found.difference, found.difference_error)]
}
