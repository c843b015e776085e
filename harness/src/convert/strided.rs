//! Views with strides, put into row-major order.

use std::borrow::Cow;

use safetensors::Dtype;

use super::tensor::elements;
use super::{ConvertError, Tensor};

/// The tensor whose element at (i, j, …) lies `offset` + i·strides\[0\] + j·strides\[1\] + … elements into `storage`.
///
/// A view that is contiguous is borrowed. Every element must lie in the storage, and a view may not have more elements than it: an expanded
/// view repeats elements, and a few bytes could claim any size.
pub fn tensor<'a>(
    name: &str,
    dtype: Dtype,
    shape: Vec<usize>,
    strides: &[u64],
    offset: u64,
    storage: &'a [u8],
) -> Result<Tensor<'a>, ConvertError> {
    let invalid = |message: String| ConvertError::invalid(format!("tensor '{name}': {message}"));
    if shape.len() != strides.len() {
        return Err(invalid(format!("{} dimensions have {} strides", shape.len(), strides.len())));
    }
    let width = dtype.bitsize() / 8;
    let held = (storage.len() / width.max(1)) as u64;
    let outside = || invalid(format!("shape {shape:?} with strides {strides:?} from element {offset} leaves a storage of {held}"));
    let count = elements(&shape).filter(|&n| n <= held).ok_or_else(outside)?;
    if count == 0 {
        return Tensor::plain(name, dtype, shape, Cow::Borrowed(&storage[..0]));
    }
    let last = shape.iter().zip(strides).try_fold(offset, |at, (&d, &s)| at.checked_add((d as u64 - 1).checked_mul(s)?));
    if last.is_none_or(|last| last >= held) {
        return Err(outside());
    }
    // Within the storage, so within memory.
    let place = |element: u64| usize::try_from(element).map(|e| e * width).map_err(|_| outside());
    if is_contiguous(&shape, strides) {
        let (start, end) = (place(offset)?, place(offset + count)?);
        return Tensor::plain(name, dtype, shape, Cow::Borrowed(&storage[start..end]));
    }
    let mut out = Vec::with_capacity(place(count)?);
    let mut index = vec![0usize; shape.len()];
    let mut at = offset;
    loop {
        let start = place(at)?;
        out.extend_from_slice(&storage[start..start + width]);
        // The last index is the fastest; one that wraps steps back to its start and carries.
        let mut axis = shape.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return Tensor::plain(name, dtype, shape, out) };
            axis = next;
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis] as u64;
            index[axis] = 0;
        }
    }
}

/// Whether the elements lie as row-major order has them; strides of dimensions of 1 mean nothing.
fn is_contiguous(shape: &[usize], strides: &[u64]) -> bool {
    let mut expected = 1u64;
    shape.iter().zip(strides).rev().all(|(&d, &s)| {
        let fits = d == 1 || s == expected;
        expected = expected.saturating_mul(d as u64);
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::Data;

    fn bytes(view: &[usize], strides: &[u64], offset: u64, storage: &[u8]) -> Result<Vec<u8>, String> {
        let tensor = tensor("t", Dtype::U8, view.to_vec(), strides, offset, storage).map_err(|e| e.to_string())?;
        let Data::Plain(bytes) = tensor.data else { unreachable!() };
        Ok(bytes.into_owned())
    }

    #[test]
    fn transposed_and_offset_views_are_put_in_order() {
        let storage = [0, 1, 2, 3, 4, 5, 6];
        assert_eq!(bytes(&[2, 3], &[3, 1], 1, &storage).unwrap(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(bytes(&[3, 2], &[1, 3], 0, &storage).unwrap(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(bytes(&[1, 3], &[77, 2], 0, &storage).unwrap(), [0, 2, 4]);
        assert_eq!(bytes(&[], &[], 6, &storage).unwrap(), [6]);
        assert_eq!(bytes(&[0, 3], &[3, 1], 0, &storage).unwrap(), [0u8; 0]);
        assert_eq!(bytes(&[2, 1, 3], &[1, 9, 2], 0, &storage).unwrap(), [0, 2, 4, 1, 3, 5]);
    }

    #[test]
    fn views_that_leave_their_storage_or_repeat_it_are_errors() {
        let storage = [0; 6];
        for (shape, strides, offset) in [
            (vec![2, 3], vec![3, 1], 1),
            (vec![7], vec![1], 0),
            (vec![7], vec![0], 0),
            (vec![usize::MAX, 2], vec![0, 0], 0),
            (vec![2], vec![u64::MAX], 1),
            (vec![1], vec![1], u64::MAX),
        ] {
            let error = bytes(&shape, &strides, offset, &storage).unwrap_err();
            assert!(error.contains("leaves a storage of 6"), "{error}");
        }
        assert!(bytes(&[2], &[1, 1], 0, &storage).unwrap_err().contains("1 dimensions have 2 strides"));
    }
}
