//! NumPy's npz: a zip archive of npy arrays.

use std::borrow::Cow;

use super::members::Members;
use super::{ConvertError, Tensor, npy};

/// All arrays of an npz file, in its order, named without `.npy`.
pub fn read(bytes: &[u8]) -> Result<Vec<Tensor<'_>>, ConvertError> {
    let mut members = Members::open(bytes)?;
    let mut tensors = Vec::new();
    for member in members.names()? {
        let name = member.strip_suffix(".npy").unwrap_or(&member);
        tensors.push(match members.read(&member)? {
            Cow::Borrowed(array) => npy::read(name, array)?,
            Cow::Owned(array) => npy::read(name, &array)?.into_owned()?,
        });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::testing::{assert_total, f32_bytes, zip_of};

    fn array(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    fn sample(deflate: bool) -> Vec<u8> {
        let rows = array("<f4", "False", "(2, 3)", &f32_bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        let columns = array("<f4", "True", "(2, 3)", &f32_bytes(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        let integers = array("<i8", "False", "()", &7i64.to_le_bytes());
        zip_of(&[("w.npy", &rows), ("f.npy", &columns), ("n.npy", &integers)], deflate)
    }

    #[test]
    fn arrays_come_in_row_major_order_stored_or_deflated() {
        for deflate in [false, true] {
            let file = sample(deflate);
            let tensors = read(&file).unwrap();
            assert_eq!(tensors.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["w", "f", "n"]);
            assert_eq!(tensors[0].shape, [2, 3]);
            assert_eq!(tensors[0].data, tensors[1].data, "Fortran order is put right");
            assert_eq!(tensors[2].shape, [0usize; 0]);
            assert_total(read, &file);
        }
    }

    #[test]
    fn pickled_objects_and_foreign_byte_orders_are_refused_by_name() {
        for (descr, word) in [("|O", "pickled"), (">f4", "'>f4'"), ("<c16x", "'<c16x'")] {
            let file = zip_of(&[("x.npy", &array(descr, "False", "(1,)", &[0; 8]))], false);
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains("'x'") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn headers_that_lie_are_errors() {
        for (shape, word) in [
            ("(2, 3)", "there are 8"),
            ("(18446744073709551616,)", "shape"),
            ("(9223372036854775807, 9223372036854775807)", "no tensor has"),
            ("(-1,)", "shape"),
            ("(0, 9223372036854775807, 9223372036854775807)", "there are 8"),
            ("2", "shape"),
        ] {
            let file = zip_of(&[("x.npy", &array("<f4", "False", shape, &[0; 8]))], false);
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains(word), "{shape}: {error}");
        }
    }

    #[test]
    fn a_bomb_and_a_wrong_checksum_are_errors() {
        let bomb = zip_of(&[("x.npy", &array("<f4", "False", "(4000000,)", &vec![0; 16_000_000]))], true);
        assert!(bomb.len() < 100_000);
        assert!(read(&bomb).unwrap_err().to_string().contains("100 times its length"));
        let mut file = sample(false);
        let at = file.windows(4).position(|w| w == 3.0f32.to_le_bytes()).unwrap();
        file[at] ^= 1;
        assert!(read(&file).unwrap_err().to_string().contains("checksum"));
    }
}
