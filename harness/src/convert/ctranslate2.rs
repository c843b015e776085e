//! CTranslate2's model.bin, versions 4 to 6 (src/models/model.cc): a specification's name and revision, then variables.
//!
//! Integers are little-endian. A text is its length in two bytes, a closing NUL counted, and then its bytes. A variable is its name, the
//! number of its dimensions (a byte), those (four bytes each), its dtype (a byte), its length (four bytes) and its elements. Aliases follow:
//! further names of variables, which are not given here, because they would count twice.

use safetensors::Dtype;

use super::cursor::Cursor;
use super::{ConvertError, Tensor};

/// All variables of a CTranslate2 model.
pub fn read(bytes: &[u8]) -> Result<Vec<Tensor<'_>>, ConvertError> {
    let mut cursor = Cursor::new(bytes);
    let version = cursor.u32("the version")?;
    if !(4..=6).contains(&version) {
        return Err(ConvertError::unsupported(format!("its version is {version}; 4 to 6 are read")));
    }
    text(&mut cursor, "the specification's name")?;
    cursor.u32("the specification's revision")?;
    let count = cursor.u32("the number of variables")?;
    // Name, rank, dtype and length take 9 bytes at least.
    let count = cursor.count(u64::from(count), 9, "variables")?;
    let mut tensors = Vec::new();
    for _ in 0..count {
        let name = text(&mut cursor, "a variable's name")?;
        let rank = cursor.u8("a rank")?;
        let shape = (0..rank).map(|_| cursor.u32("a dimension").map(|d| d as usize)).collect::<Result<Vec<_>, _>>()?;
        let dtype = match cursor.u8("a dtype")? {
            0 => Dtype::F32,
            1 => Dtype::I8,
            2 => Dtype::I16,
            3 => Dtype::I32,
            4 => Dtype::F16,
            5 => Dtype::BF16,
            other => return Err(ConvertError::invalid(format!("variable '{name}': dtype {other} is not known"))),
        };
        let length = cursor.u32("a variable's length")?;
        let data = cursor.take(u64::from(length), &format!("variable '{name}'"))?;
        tensors.push(Tensor::plain(name, dtype, shape, data)?);
    }
    let aliases = cursor.u32("the number of aliases")?;
    for _ in 0..cursor.count(u64::from(aliases), 4, "aliases")? {
        let (alias, variable) = (text(&mut cursor, "an alias")?, text(&mut cursor, "an alias's variable")?);
        if !tensors.iter().any(|t| t.name == variable) {
            return Err(ConvertError::invalid(format!("alias '{alias}' stands for '{variable}', which is missing")));
        }
    }
    match cursor.remaining() {
        0 => Ok(tensors),
        more => Err(ConvertError::invalid(format!("{more} bytes follow the aliases"))),
    }
}

fn text(cursor: &mut Cursor<'_>, what: &str) -> Result<String, ConvertError> {
    let length = cursor.u16(what)?;
    let bytes = cursor.take(u64::from(length), what)?;
    let text = bytes.strip_suffix(&[0]).and_then(|b| std::str::from_utf8(b).ok());
    text.map(str::to_owned).ok_or_else(|| ConvertError::invalid(format!("{what} is no text that ends in NUL")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::testing::assert_total;

    fn text(text: &str) -> Vec<u8> {
        [&u16::try_from(text.len() + 1).unwrap().to_le_bytes()[..], text.as_bytes(), &[0]].concat()
    }

    fn sample() -> Vec<u8> {
        let mut bytes = 6u32.to_le_bytes().to_vec();
        bytes.extend(text("WhisperSpec"));
        bytes.extend([3u32.to_le_bytes(), 2u32.to_le_bytes()].concat());
        bytes.extend(text("encoder/w"));
        bytes.extend_from_slice(&[2, 1, 0, 0, 0, 2, 0, 0, 0, 4, 4, 0, 0, 0, 0x00, 0x3c, 0x00, 0xc0]);
        bytes.extend(text("heads"));
        bytes.extend_from_slice(&[0, 1, 1, 0, 0, 0, 6]);
        bytes.extend_from_slice(&1u32.to_le_bytes());
        bytes.extend([text("decoder/w"), text("encoder/w")].concat());
        bytes
    }

    #[test]
    fn variables_come_in_their_dtype_and_aliases_do_not_count() {
        let bytes = sample();
        let tensors = read(&bytes).unwrap();
        assert_eq!(tensors.len(), 2);
        assert_eq!((tensors[0].name.as_str(), tensors[0].dtype, &tensors[0].shape[..]), ("encoder/w", Dtype::F16, &[1, 2][..]));
        assert_eq!(*tensors[0].plain_bytes().unwrap(), [0x00, 0x3c, 0x00, 0xc0]);
        assert_total(read, &bytes);
    }

    #[test]
    fn lies_are_named() {
        let with = |at: usize, value: u8| {
            let mut bytes = sample();
            bytes[at] = value;
            read(&bytes).unwrap_err().to_string()
        };
        assert!(with(0, 3).contains("its version is 3"));
        let count = sample().windows(4).position(|w| w == 2u32.to_le_bytes()).unwrap();
        assert!(with(count + 3, 200).contains("variables wants"));
        let mut longer = sample();
        longer.push(0);
        assert!(read(&longer).unwrap_err().to_string().contains("1 bytes follow"));
    }
}
