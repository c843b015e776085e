//! Spans: runs of a fixed number of weights of the flattened tensor that share a scale, such as rows; the last may be short.

use rayon::prelude::*;

use super::blocks::TASK;

/// What `f` gives for each span, in order.
pub fn of_each<R: Send>(values: &[f32], span: usize, f: impl Fn(&[f32]) -> R + Send + Sync) -> Vec<R> {
    if values.len() <= TASK {
        return values.chunks(span.max(1)).map(f).collect();
    }
    values.par_chunks(span.max(1)).with_min_len((TASK / span.max(1)).max(1)).map(f).collect()
}

/// Changes each weight in place, given its span's scale.
pub fn apply(values: &mut [f32], span: usize, scales: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    let piece = |start: usize, mut piece: &mut [f32]| {
        let mut at = start;
        while let (false, Some(&scale)) = (piece.is_empty(), scales.get(at / span)) {
            let (now, later) = piece.split_at_mut((span - at % span).min(piece.len()));
            now.iter_mut().for_each(|x| *x = f(*x, scale));
            at += now.len();
            piece = later;
        }
    };
    if values.len() <= TASK {
        piece(0, values);
    } else {
        values.par_chunks_mut(TASK).enumerate().for_each(|(i, values)| piece(i * TASK, values));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_chunks() {
        for (count, span) in [(0, 3), (10, 1), (10, 3), (10, 100), (TASK + 5, 7), (3 * TASK + 5, 2 * TASK), (2 * TASK, TASK)] {
            let values = crate::sample::gaussian(count, 1.0, 6);
            let firsts = of_each(&values, span, |span| span[0]);
            assert_eq!(firsts, values.chunks(span).map(|span| span[0]).collect::<Vec<_>>());
            let mut changed = values.clone();
            apply(&mut changed, span, &firsts, |x, first| x - first);
            let expected: Vec<f32> = values.chunks(span).flat_map(|span| span.iter().map(|x| x - span[0])).collect();
            assert_eq!(changed, expected);
        }
    }
}
