//! safetensors: the format's own reader checks offsets and lengths.

use safetensors::SafeTensors;

use super::{ConvertError, Tensor};

/// All tensors of a safetensors file, sorted by name.
pub fn read(bytes: &[u8]) -> Result<Vec<Tensor<'_>>, ConvertError> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| ConvertError::invalid(format!("not a safetensors file: {e}")))?;
    let mut tensors = file
        .iter()
        .map(|(name, view)| Tensor::plain(name, view.dtype(), view.shape().to_vec(), view.data()))
        .collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;

    use super::*;
    use crate::convert::testing::{assert_total, f32_bytes};
    use crate::convert::write_safetensors;

    #[test]
    fn what_is_written_is_read_again_with_every_dtype() {
        let tensors = vec![
            Tensor::plain("b", Dtype::F32, vec![2, 3], f32_bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).unwrap(),
            Tensor::plain("a", Dtype::BF16, vec![3], vec![0, 1, 2, 3, 4, 5]).unwrap(),
            Tensor::plain("c", Dtype::I64, vec![], vec![7; 8]).unwrap(),
            Tensor::plain("d", Dtype::F16, vec![0, 4], Vec::new()).unwrap(),
        ];
        let mut file = Vec::new();
        write_safetensors(&tensors, &mut file).unwrap();
        let mut sorted = tensors;
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(read(&file).unwrap(), sorted);
        assert_total(read, &file);
    }
}
