//! The search itself, over commits in order of which some cannot be measured.

use super::state::Finding;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Measure this commit.
    Measure(usize),
    /// Nothing is left to measure.
    Done(Answer),
}

/// The first bad commit, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The last commit that is known to be good.
    pub last_good: usize,
    /// The first that is known to be bad.
    pub first_bad: usize,
}

/// What to do next, of commits in order whose first is good and whose last is bad. `findings` has what is known of each.
///
/// The middle between the last good and the first bad commit is measured; where it could not be, the nearest that can.
pub fn next(findings: &[Option<Finding>], is_bad: impl Fn(f64) -> bool) -> Next {
    let value = |i: usize| match findings.get(i) {
        Some(Some(Finding::Value { value })) => Some(*value),
        _ => None,
    };
    let last = findings.len().saturating_sub(1);
    let first_bad = (1..last).find(|&i| value(i).is_some_and(&is_bad)).unwrap_or(last);
    let last_good = (0..first_bad).rev().find(|&i| i == 0 || value(i).is_some_and(|v| !is_bad(v))).unwrap_or(0);
    let middle = usize::midpoint(last_good, first_bad);
    let open = (last_good + 1..first_bad).filter(|&i| findings[i].is_none());
    match open.min_by_key(|i| i.abs_diff(middle)) {
        Some(i) => Next::Measure(i),
        None => Next::Done(Answer { last_good, first_bad }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches commits of which the ones from `bad` on are bad and `broken` cannot be measured; the answer and how many were tried.
    fn search(count: usize, bad: usize, broken: &[usize]) -> (Answer, usize) {
        let mut findings = vec![None; count];
        for tried in 0.. {
            match next(&findings, |v| v > 0.5) {
                Next::Done(answer) => return (answer, tried),
                Next::Measure(i) if broken.contains(&i) => findings[i] = Some(Finding::Skipped { reason: "no".into() }),
                Next::Measure(i) => findings[i] = Some(Finding::Value { value: if i >= bad { 1.0 } else { 0.0 } }),
            }
        }
        unreachable!()
    }

    #[test]
    fn the_first_bad_commit_is_found_in_few_steps() {
        for bad in 1..1000 {
            let (answer, tried) = search(1000, bad, &[]);
            assert_eq!((answer.last_good, answer.first_bad), (bad - 1, bad));
            assert!(tried <= 10, "{tried}");
        }
        assert_eq!(search(2, 1, &[]), (Answer { last_good: 0, first_bad: 1 }, 0));
    }

    proptest! {
        #[test]
        fn what_cannot_be_measured_widens_the_answer_and_nothing_else(
            count in 3usize..60, bad in 1usize..60, broken in prop::collection::btree_set(1usize..59, 0..30)
        ) {
            let bad = bad.min(count - 1);
            let broken: Vec<_> = broken.into_iter().filter(|i| *i < count - 1).collect();
            let (answer, _) = search(count, bad, &broken);
            prop_assert!(answer.last_good < bad && bad <= answer.first_bad);
            prop_assert!((answer.last_good + 1..answer.first_bad).all(|i| broken.contains(&i)), "{answer:?}");
        }
    }
}
