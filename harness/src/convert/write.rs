//! Writing tensors as a safetensors file, one at a time: blocks are decoded when their turn comes, and no two are held at once.

use std::io::Write;

use serde_json::json;

use super::{ConvertError, Tensor};

/// The header's key that is no tensor.
const METADATA: &str = "__metadata__";

/// Writes a safetensors file: tensors by width of their dtype, wide ones first so that each lies on a multiple of its width, then by name.
/// The same tensors give the same bytes. Fails where two tensors have one name.
pub fn write_safetensors(tensors: &[Tensor<'_>], out: &mut dyn Write) -> Result<(), ConvertError> {
    let mut order = tensors.iter().collect::<Vec<_>>();
    order.sort_by(|a, b| b.dtype.bitsize().cmp(&a.dtype.bitsize()).then_with(|| a.name.cmp(&b.name)));
    let mut names = order.iter().map(|t| t.name.as_str()).collect::<Vec<_>>();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(ConvertError::Selection(format!("two tensors are named '{}'; exclude or rename one", pair[0])));
    }
    if names.binary_search(&METADATA).is_ok() {
        return Err(ConvertError::Selection(format!("a tensor is named '{METADATA}', which safetensors keeps for itself; rename it")));
    }
    let header = header(&order)?;
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for tensor in order {
        out.write_all(&tensor.plain_bytes()?)?;
    }
    Ok(())
}

/// The header, padded with blanks so that the data begins at a multiple of 8.
fn header(order: &[&Tensor<'_>]) -> Result<String, ConvertError> {
    let mut header = String::from("{");
    let mut offset = 0u64;
    for (i, tensor) in order.iter().enumerate() {
        let too_long = || ConvertError::invalid(format!("tensor '{}': the file would be too long", tensor.name));
        let end = offset.checked_add(tensor.bytes()).ok_or_else(too_long)?;
        let comma = if i > 0 { "," } else { "" };
        let (name, dtype, shape) = (json!(tensor.name), json!(tensor.dtype), json!(tensor.shape));
        header += &format!("{comma}{name}:{{\"dtype\":{dtype},\"shape\":{shape},\"data_offsets\":[{offset},{end}]}}");
        offset = end;
    }
    header.push('}');
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use safetensors::Dtype;

    use super::*;

    #[test]
    fn the_header_is_aligned_and_wide_dtypes_come_first() {
        let narrow = Tensor::plain("a", Dtype::U8, vec![3], vec![1, 2, 3]).unwrap();
        let wide = Tensor::plain("z", Dtype::F32, vec![1], vec![0, 0, 128, 63]).unwrap();
        let mut file = Vec::new();
        write_safetensors(&[narrow.clone(), wide], &mut file).unwrap();
        let length = usize::try_from(u64::from_le_bytes(file[..8].try_into().unwrap())).unwrap();
        assert_eq!(length % 8, 0);
        assert!(
            std::str::from_utf8(&file[8..8 + length])
                .unwrap()
                .starts_with("{\"z\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}")
        );
        assert_eq!(file[8 + length..], [0, 0, 128, 63, 1, 2, 3]);
        let twice = write_safetensors(&[narrow.clone(), narrow], &mut Vec::new()).unwrap_err();
        assert_eq!(twice.to_string(), "two tensors are named 'a'; exclude or rename one");
    }

    #[test]
    fn a_full_disk_is_the_system_s_error() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::StorageFull))?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let tensor = Tensor::plain("w", Dtype::U8, vec![1000], vec![0; 1000]).unwrap();
        let error = write_safetensors(&[tensor], &mut Full(500)).unwrap_err();
        assert!(matches!(&error, ConvertError::Io(e) if e.kind() == std::io::ErrorKind::StorageFull), "{error}");
    }
}
