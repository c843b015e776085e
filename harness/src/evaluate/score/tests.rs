//! Tests of tasks with one right class a row, which need no fixture.

use super::compare::{Score, against};
use crate::evaluate::data::Truth;
use crate::evaluate::{EvaluateError, Outputs};
use crate::fixture::Task;

fn value(scores: &[Score], metric: &str) -> (f64, Option<f64>) {
    let score = scores.iter().find(|s| s.metric == metric).unwrap();
    (score.value, score.standard_error)
}

fn outputs(rows: &[[f32; 2]]) -> Outputs {
    Outputs { width: 2, values: rows.concat(), groups: vec![1; rows.len()], sequences: vec![], data: String::new() }
}

fn score(task: Task, targets: &[u32], reference: &Outputs, candidate: &Outputs) -> Result<Vec<Score>, EvaluateError> {
    against(task, &Truth::Classes(targets.to_vec()), reference, candidate)
}

#[test]
fn a_model_compared_with_itself_has_lost_nothing() {
    let original = outputs(&[[0.3, 0.1], [7.0, -2.0], [1e30, -1e30], [0.0, 5.0]]);
    let scores = score(Task::NextCharacter, &[0, 1, 0, 1], &original, &original).unwrap();
    for metric in ["accuracy_loss_percent", "kl_divergence", "kl_divergence_median", "kl_divergence_max", "perplexity_increase_percent"] {
        assert_eq!(value(&scores, metric).0, 0.0, "{metric}");
    }
    assert_eq!(value(&scores, "same_top1"), (100.0, Some(0.0)));
    assert_eq!(value(&scores, "top1_accuracy").0, 75.0);
}

#[test]
fn figures_agree_with_sums_by_hand() {
    // Probabilities 3/4, 1/4 against 1/2, 1/2, then the same in both.
    let ln3 = 3.0f32.ln();
    let original = outputs(&[[ln3, 0.0], [0.0, ln3]]);
    let candidate = outputs(&[[1.0, 1.0], [0.0, ln3]]);
    let scores = score(Task::NextCharacter, &[0, 0], &original, &candidate).unwrap();
    let kl = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
    let close = |metric: &str, expected: f64| {
        let found = value(&scores, metric).0;
        assert!((found - expected).abs() < 1e-6, "{metric}: {found}, expected {expected}");
    };
    close("kl_divergence", kl / 2.0);
    close("kl_divergence_max", kl);
    close("top1_accuracy", 50.0);
    close("accuracy_loss_percent", 0.0);
    close("same_top1", 100.0);
    close("bits_per_char", 1.5);
    close("perplexity", 2f64.powf(1.5));
    close("perplexity_increase_percent", 100.0 * (1.5f64.sqrt() - 1.0));
}

#[test]
fn paired_errors_are_smaller_than_the_spread_of_each() {
    let rows = (0..100u8).map(|i| [f32::from(i % 2), 0.5]).collect::<Vec<_>>();
    let original = outputs(&rows);
    let mut worse = original.clone();
    worse.values[2 * 7] = -1.0;
    let scores = score(Task::Classification, &[0; 100], &original, &worse).unwrap();
    let (loss, paired) = value(&scores, "accuracy_loss_percent");
    assert_eq!(loss, 1.0);
    assert!(paired.unwrap() < value(&scores, "top1_accuracy").1.unwrap() / 4.0);
}

#[test]
fn a_row_that_is_not_finite_is_the_worst_answer() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let original = outputs(&[[1.0, 0.0], [1.0, 0.0]]);
        let broken = outputs(&[[1.0, 0.0], [bad, 0.0]]);
        let scores = score(Task::NextCharacter, &[0, 0], &original, &broken).unwrap();
        assert_eq!(value(&scores, "accuracy_loss_percent").0, 50.0);
        assert_eq!(value(&scores, "same_top1").0, 50.0);
        for metric in ["kl_divergence", "kl_divergence_p99", "kl_divergence_max", "perplexity"] {
            assert_eq!(value(&scores, metric), (f64::INFINITY, None), "{metric}");
        }
        assert!(matches!(score(Task::Classification, &[0, 0], &broken, &original), Err(EvaluateError::Incomparable { .. })));
    }
}

#[test]
fn outputs_of_different_data_are_not_compared() {
    let original = outputs(&[[1.0, 0.0], [1.0, 0.0]]);
    for (targets, other) in [
        ([0, 0].as_slice(), Outputs { groups: vec![2], ..original.clone() }),
        (&[0, 0], Outputs { data: "other".to_owned(), ..original.clone() }),
        (&[0, 0], outputs(&[[1.0, 0.0]])),
        (&[0, 2], original.clone()),
        (&[0, 0, 0], original.clone()),
    ] {
        let error = score(Task::Classification, targets, &original, &other).unwrap_err();
        assert!(matches!(error, EvaluateError::Incomparable { .. }), "{error}");
    }
}

#[test]
fn detection_is_scored_by_the_order_of_its_odds() {
    // Two clips of two chunks: in the candidate's one speaking chunk is below one silent chunk.
    let clips = |odds: [f32; 4]| Outputs { groups: vec![2, 2], ..outputs(&odds.map(|z| [0.0, z])) };
    let (original, candidate) = (clips([2.0, -1.0, -2.0, 3.0]), clips([-1.5, -1.0, -2.0, 3.0]));
    let scores = score(Task::Speech, &[1, 0, 0, 1], &original, &candidate).unwrap();
    assert_eq!((value(&scores, "auc").0, value(&scores, "auc_loss").0), (0.75, 0.25));
    assert_eq!((value(&scores, "top1_accuracy").0, value(&scores, "accuracy_loss_percent").0), (75.0, 25.0));
}
