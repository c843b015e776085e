//! NumPy's npy format, versions 1 to 3 (numpy/lib/format.py): a magic string, a header that is a Python dictionary, then the elements.
//!
//! The header is read as the three keys that NumPy writes, in any order, and nothing else: no expression is evaluated.

use safetensors::Dtype;

use super::cursor::Cursor;
use super::{ConvertError, Tensor, strided};

/// One array.
pub fn read<'a>(name: &str, bytes: &'a [u8]) -> Result<Tensor<'a>, ConvertError> {
    let named = |message: &str| ConvertError::invalid(format!("array '{name}': {message}"));
    let mut cursor = Cursor::new(bytes);
    if cursor.take(6, "the magic string of an array")? != b"\x93NUMPY" {
        return Err(named("not an npy array"));
    }
    let length = match cursor.array("the version of an array")? {
        [1, _] => u64::from(cursor.u16("a header's length")?),
        [2 | 3, _] => u64::from(cursor.u32("a header's length")?),
        [major, minor] => return Err(named(&format!("npy version {major}.{minor} is not known"))),
    };
    let header = cursor.take(length, "an array's header")?;
    let header = std::str::from_utf8(header).map_err(|_| named("its header is not text"))?;
    let Header { descr, fortran, shape } = Header::parse(header).map_err(|message| named(&message))?;
    let dtype = dtype(&descr).map_err(|message| named(&message))?;
    let data = cursor.take(cursor.remaining() as u64, "the elements")?;
    if !fortran || shape.len() < 2 {
        return Tensor::plain(name, dtype, shape, data);
    }
    // In Fortran order the first dimension varies fastest.
    let mut strides = Vec::with_capacity(shape.len());
    let mut step = 1u64;
    for &d in &shape {
        strides.push(step);
        step = step.saturating_mul(d as u64);
    }
    strided::tensor(name, dtype, shape, &strides, 0, data)
}

fn dtype(descr: &str) -> Result<Dtype, String> {
    Ok(match descr {
        "<f2" => Dtype::F16,
        "<f4" => Dtype::F32,
        "<f8" => Dtype::F64,
        "|b1" => Dtype::BOOL,
        "|i1" => Dtype::I8,
        "|u1" => Dtype::U8,
        "<i2" => Dtype::I16,
        "<u2" => Dtype::U16,
        "<i4" => Dtype::I32,
        "<u4" => Dtype::U32,
        "<i8" => Dtype::I64,
        "<u8" => Dtype::U64,
        _ if descr.contains('O') => return Err("it holds pickled objects, which are not read".to_owned()),
        _ => return Err(format!("dtype '{descr}' is not read; little-endian numbers are")),
    })
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let malformed = || format!("its header is '{}'", text.trim_end().chars().take(200).collect::<String>());
        let mut rest = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).ok_or_else(malformed)?.trim();
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, value) = rest.split_once(':').ok_or_else(malformed)?;
            let value = value.trim_start();
            // A tuple ends at its bracket, any other value at a comma.
            let end = match value.strip_prefix('(') {
                Some(tuple) => tuple.find(')').map(|i| i + 2),
                None => Some(value.find(',').unwrap_or(value.len())),
            };
            let (value, after) = value.split_at(end.ok_or_else(malformed)?);
            let value = value.trim_end();
            match key.trim() {
                "'descr'" => descr = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).map(str::to_owned),
                "'fortran_order'" if value == "True" => fortran = Some(true),
                "'fortran_order'" if value == "False" => fortran = Some(false),
                "'shape'" => shape = Some(dimensions(value).ok_or_else(|| format!("its shape is '{value}'"))?),
                _ => return Err(malformed()),
            }
            rest = after.trim_start().strip_prefix(',').unwrap_or(after).trim_start();
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Self { descr, fortran, shape }),
            _ => Err(malformed()),
        }
    }
}

/// `(2, 3)`, `(2,)` or `()`.
fn dimensions(tuple: &str) -> Option<Vec<usize>> {
    let inner = tuple.strip_prefix('(')?.strip_suffix(')')?.trim();
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner.split(',').map(|d| d.trim().parse().ok()).collect()
}
