//! Texts as points: how far each moved from where the original put it, and how well nearness agrees with human judgement.
//!
//! Only the first is a measure of compression. Agreement with human scores can rise while a model gets worse, because noise also breaks
//! the crowding of unrelated texts; it stands beside the distance, with the paired error of its change.

use super::sample::Sample;
use super::{Score, bootstrap, rank};
use crate::evaluate::Outputs;
use crate::evaluate::data::Judgements;
use crate::fixture::Judgement;

/// Scores of the points, and of the judged pairs.
pub(super) fn score(judged: &[Judgements], reference: &Outputs, candidate: &Outputs) -> Vec<Score> {
    let cosines = (0..reference.rows()).map(|i| cosine(reference.row(i), candidate.row(i)));
    // A row that is not finite has no direction: it is infinitely far.
    let distances = cosines.map(|c| if c.is_finite() { 1.0 - c } else { f64::INFINITY }).collect();
    let distance = Sample::new(distances, &reference.groups);
    let mut scores = vec![
        Score::new("embedding_distance", distance.mean, distance.error),
        Score::new("embedding_cosine", 1.0 - distance.mean, distance.error),
    ];
    for judgements in judged {
        scores.extend(agreement(judgements, reference, candidate));
    }
    scores
}

/// Correlation of cosines with one collection's scores.
fn agreement(judgements: &Judgements, reference: &Outputs, candidate: &Outputs) -> Vec<Score> {
    let pairs = &judgements.pairs;
    let cosines = |outputs: &Outputs| pairs.iter().map(|p| cosine(outputs.row(p.texts.0), outputs.row(p.texts.1))).collect::<Vec<_>>();
    let (before, after) = (cosines(reference), cosines(candidate));
    let correlate = |with: fn(&[f64], &[f64]) -> f64| {
        bootstrap::paired(judgements.units(), |units| {
            let drawn = judgements.drawn(units);
            let pick = |values: &[f64]| drawn.iter().map(|&p| values[p]).collect::<Vec<_>>();
            let human = drawn.iter().map(|&p| pairs[p].score).collect::<Vec<_>>();
            [with(&pick(&after), &human), with(&pick(&before), &human)]
        })
    };
    let both = |names: [&'static str; 2]| {
        let found = correlate(rank::spearman);
        vec![Score::new(names[0], found.value, found.error), Score::new(names[1], -found.difference, found.difference_error)]
    };
    match judgements.by {
        Judgement::Lee => {
            let linear = correlate(rank::pearson);
            let mut scores = both(["spearman_lee", "spearman_lee_loss"]);
            scores.push(Score::new("pearson_lee", linear.value, linear.error));
            scores
        }
        Judgement::Wordsim => both(["spearman_wordsim", "spearman_wordsim_loss"]),
        Judgement::Simlex => both(["spearman_simlex", "spearman_simlex_loss"]),
    }
}

/// Cosine of the angle between two rows; NaN where one is zero or not finite.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::data::Pair;

    fn points(rows: &[[f32; 2]]) -> Outputs {
        Outputs { width: 2, values: rows.concat(), groups: vec![1; rows.len()], sequences: vec![], data: String::new() }
    }

    fn value(scores: &[Score], metric: &str) -> f64 {
        scores.iter().find(|s| s.metric == metric).unwrap().value
    }

    #[test]
    fn distance_is_of_angles_and_not_of_lengths() {
        let original = points(&[[1.0, 0.0], [0.0, 2.0]]);
        assert_eq!(value(&score(&[], &original, &points(&[[3.0, 0.0], [0.0, 0.1]])), "embedding_distance"), 0.0);
        let turned = score(&[], &original, &points(&[[1.0, 1.0], [0.0, 1.0]]));
        assert!((value(&turned, "embedding_distance") - (1.0 - 0.5f64.sqrt()) / 2.0).abs() < 1e-12);
        assert!((value(&turned, "embedding_cosine") + value(&turned, "embedding_distance") - 1.0).abs() < 1e-12);
        let broken = score(&[], &original, &points(&[[f32::NAN, 1.0], [0.0, 1.0]]));
        assert_eq!(value(&broken, "embedding_distance"), f64::INFINITY);
    }

    #[test]
    fn agreement_is_rank_correlation_and_its_loss_is_paired() {
        let rows = [[1.0, 0.0], [1.0, 0.3], [1.0, 1.0], [0.2, 1.0], [0.0, 1.0]];
        let original = points(&rows);
        let mut pairs = (1..5).map(|i| Pair { texts: (0, i), score: 5.0 - i as f64 }).collect::<Vec<_>>();
        let judged = Judgements { by: Judgement::Simlex, pairs: pairs.clone(), documents: None };
        let scores = score(&[judged], &original, &original);
        assert!((value(&scores, "spearman_simlex") - 1.0).abs() < 1e-12);
        assert_eq!(value(&scores, "spearman_simlex_loss"), 0.0);
        pairs[3].score = 9.0;
        let judged = Judgements { by: Judgement::Wordsim, pairs, documents: None };
        assert!(value(&score(&[judged], &original, &original), "spearman_wordsim") < 0.5);
    }
}
