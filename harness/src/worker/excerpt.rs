//! A part of a model that costs a stated share of the whole: the first rows of each matrix.
//!
//! Kernels work row by row or block by block within rows, so the share of the elements is about the share of the work. Kernels with a cost a
//! tensor, such as training a codebook, pay it in full: whoever needs the share of the time measures it.

use weighbridge::artifact::Tensor;
use weighbridge::error::WeightsError;
use weighbridge::weights::{Values, Weights};

/// The first rows of each matrix of a model, `share` of the elements in all; names stay, vectors and tensors without weights are left out.
///
/// Rows are whole, so that the kernel sees lines as long as they are. What rounding to rows takes from one tensor is given to the next. A share
/// above 0 gives at least one row.
pub fn excerpt(model: &[Tensor], share: f64) -> Result<Vec<Tensor>, WeightsError> {
    let matrices = model.iter().filter_map(|tensor| match tensor {
        Tensor::Weights(weights) if weights.info().shape.len() > 1 && weights.info().elements() > 0 => Some(weights),
        _ => None,
    });
    let (mut owed, mut parts) = (0.0, Vec::new());
    let mut smallest: Option<&Weights> = None;
    for weights in matrices {
        let (rows, cols) = weights.info().rows_cols();
        owed += share * as_f64(weights.info().elements());
        let wanted = (owed / as_f64(cols)).round().clamp(0.0, as_f64(rows));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of rows")]
        let taken = wanted as usize;
        owed -= as_f64(taken * cols);
        if taken > 0 {
            parts.push(Tensor::Weights(first_rows(weights, taken)?));
        }
        if smallest.is_none_or(|s| s.info().rows_cols().1 > cols) {
            smallest = Some(weights);
        }
    }
    if let Some(weights) = smallest.filter(|_| parts.is_empty() && share > 0.0) {
        parts.push(Tensor::Weights(first_rows(weights, 1)?));
    }
    Ok(parts)
}

/// The first rows of a matrix.
fn first_rows(weights: &Weights, rows: usize) -> Result<Weights, WeightsError> {
    let info = weights.info();
    let mut shape = info.shape.clone();
    shape[0] = rows;
    let n = shape.iter().product();
    let values = match weights.values() {
        Values::F32(v) => Values::F32(v[..n].to_vec()),
        Values::F16(v) => Values::F16(v[..n].to_vec()),
        Values::Bf16(v) => Values::Bf16(v[..n].to_vec()),
    };
    Weights::new(info.name.clone(), shape, values)
}

#[expect(clippy::cast_precision_loss, reason = "counts of elements below 2^53 convert exactly")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(shapes: &[&[usize]]) -> Vec<Tensor> {
        let tensor = |(i, shape): (usize, &&[usize])| {
            let n = shape.iter().product::<usize>();
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let values = (0..n).map(|x| x as f32).collect();
            Tensor::Weights(Weights::new(format!("t{i}"), shape.to_vec(), Values::F32(values)).unwrap())
        };
        shapes.iter().enumerate().map(tensor).collect()
    }

    fn elements(model: &[Tensor]) -> usize {
        model.iter().map(|t| t.raw().2.iter().product::<usize>()).sum()
    }

    #[test]
    fn the_share_is_that_of_the_elements_even_where_each_tensor_is_too_small() {
        let whole = model(&[&[100, 32], &[10, 8], &[64], &[10, 8], &[200, 4, 4]]);
        let of_matrices = 3200 + 80 + 80 + 3200;
        for share in [0.01, 0.02, 0.05, 0.3, 1.0] {
            let part = excerpt(&whole, share).unwrap();
            let off = as_f64(elements(&part)) - share * as_f64(of_matrices);
            assert!(off.abs() <= 16.0, "share {share}: off by {off} elements, more than half a row");
        }
        assert_eq!(elements(&excerpt(&whole, 1.0).unwrap()), of_matrices);
    }

    #[test]
    fn rows_are_whole_and_the_first_and_there_is_at_least_one() {
        let part = excerpt(&model(&[&[4, 8], &[4, 3]]), 0.0001).unwrap();
        let (name, _, shape, bytes) = part[0].raw();
        assert_eq!((part.len(), name, shape, bytes.len()), (1, "t1", &[1, 3][..], 12));
        assert_eq!(elements(&excerpt(&model(&[&[4, 8]]), 0.0).unwrap()), 0);
        let part = excerpt(&model(&[&[4, 8]]), 0.5).unwrap();
        assert_eq!(part[0].raw().3, &model(&[&[4, 8]])[0].raw().3[..64]);
    }
}
