//! GGUF, versions 2 and 3 (ggml/docs/gguf.md): a header of key–value metadata and tensor descriptions, then the tensors, aligned.
//!
//! Dimensions are stored innermost first and given outermost first. f32, f16 and bf16 are kept; ggml's blocks are decoded to f32 by the kernel
//! library, whose decoders are ggml's to the bit. Metadata is given as JSON, for the tokenizer in it.

use safetensors::Dtype;
use serde_json::{Map, Value};

use super::cursor::{Cursor, slice};
use super::tensor::elements;
use super::{ConvertError, Tensor};

/// Deepest array within an array; the format has no use for more than one.
const MAX_DEPTH: usize = 4;
/// Most dimensions in ggml.
const MAX_RANK: u32 = 4;
/// Alignment where the metadata names none.
const DEFAULT_ALIGNMENT: u64 = 32;

/// How a type of ggml is stored.
enum Storage {
    /// Plain elements.
    Plain(Dtype),
    /// Blocks of so many weights in so many bytes, decoded by a kernel.
    Blocks { kernel: &'static str, weights: u64, bytes: u64 },
}

/// ggml's types by number (ggml.h, `enum ggml_type`).
fn storage(ggml_type: u32) -> Option<Storage> {
    let blocks = |kernel, weights, bytes| Some(Storage::Blocks { kernel, weights, bytes });
    match ggml_type {
        0 => Some(Storage::Plain(Dtype::F32)),
        1 => Some(Storage::Plain(Dtype::F16)),
        2 => blocks("q4_0", 32, 18),
        3 => blocks("q4_1", 32, 20),
        6 => blocks("q5_0", 32, 22),
        7 => blocks("q5_1", 32, 24),
        8 => blocks("q8_0", 32, 34),
        10 => blocks("q2_k", 256, 84),
        11 => blocks("q3_k", 256, 110),
        12 => blocks("q4_k", 256, 144),
        13 => blocks("q5_k", 256, 176),
        14 => blocks("q6_k", 256, 210),
        20 => blocks("iq4_nl", 32, 18),
        24 => Some(Storage::Plain(Dtype::I8)),
        25 => Some(Storage::Plain(Dtype::I16)),
        26 => Some(Storage::Plain(Dtype::I32)),
        27 => Some(Storage::Plain(Dtype::I64)),
        28 => Some(Storage::Plain(Dtype::F64)),
        30 => Some(Storage::Plain(Dtype::BF16)),
        34 => blocks("tq1_0", 256, 54),
        35 => blocks("tq2_0", 256, 66),
        _ => None,
    }
}

/// All tensors of a GGUF file.
pub fn read(bytes: &[u8]) -> Result<Vec<Tensor<'_>>, ConvertError> {
    let mut cursor = Cursor::new(bytes);
    let (tensors, pairs) = counts(&mut cursor)?;
    let mut alignment = DEFAULT_ALIGNMENT;
    for _ in 0..pairs {
        let key = text(&mut cursor, "a key")?;
        let kind = cursor.u32("a value's type")?;
        let value = value(&mut cursor, kind, 0, key == "general.alignment")?;
        if key == "general.alignment" {
            let power = |a: &u64| a.is_power_of_two() && *a <= 1 << 20;
            let found = value.as_u64().filter(power);
            alignment = found.ok_or_else(|| ConvertError::invalid(format!("its alignment is {value}; it must be a power of two")))?;
        }
    }
    let mut described = Vec::new();
    for _ in 0..tensors {
        described.push(describe(&mut cursor)?);
    }
    let start = (cursor.position() as u64).next_multiple_of(alignment);
    let data = slice(bytes, start, (bytes.len() as u64).saturating_sub(start), "the tensors")?;
    described.into_iter().map(|d| d.tensor(data, alignment)).collect()
}

/// The metadata of a GGUF file as one JSON object, keys sorted.
pub fn metadata(bytes: &[u8]) -> Result<String, ConvertError> {
    let mut cursor = Cursor::new(bytes);
    let (_, pairs) = counts(&mut cursor)?;
    let mut object = Map::new();
    for _ in 0..pairs {
        let key = text(&mut cursor, "a key")?;
        let kind = cursor.u32("a value's type")?;
        let value = value(&mut cursor, kind, 0, true)?;
        if object.insert(key.to_owned(), value).is_some() {
            return Err(ConvertError::invalid(format!("key '{key}' is there twice")));
        }
    }
    object.sort_keys();
    let text = serde_json::to_string(&object).map_err(|e| ConvertError::invalid(e.to_string()))?;
    Ok(text + "\n")
}

/// Magic, version, and the numbers of tensors and of metadata pairs.
fn counts(cursor: &mut Cursor<'_>) -> Result<(usize, usize), ConvertError> {
    if cursor.take(4, "the magic")? != b"GGUF" {
        return Err(ConvertError::invalid("not a GGUF file"));
    }
    let version = cursor.u32("the version")?;
    if !(2..=3).contains(&version) {
        return Err(ConvertError::unsupported(format!("its version is {version}; 2 and 3 are read, little-endian")));
    }
    let (tensors, pairs) = (cursor.u64("the number of tensors")?, cursor.u64("the number of keys")?);
    // A tensor takes 24 bytes at least, a pair 13.
    Ok((cursor.count(tensors, 24, "tensors")?, cursor.count(pairs, 13, "keys")?))
}

struct Described<'a> {
    name: &'a str,
    shape: Vec<usize>,
    ggml_type: u32,
    offset: u64,
}

fn describe<'a>(cursor: &mut Cursor<'a>) -> Result<Described<'a>, ConvertError> {
    let name = text(cursor, "a tensor's name")?;
    let rank = cursor.u32("a rank")?;
    if rank > MAX_RANK {
        return Err(ConvertError::invalid(format!("tensor '{name}' has {rank} dimensions; the limit is {MAX_RANK}")));
    }
    let dimension = |cursor: &mut Cursor<'_>| {
        let d = cursor.u64("a dimension")?;
        usize::try_from(d).map_err(|_| ConvertError::invalid(format!("tensor '{name}' has a dimension of {d}")))
    };
    let mut shape = (0..rank).map(|_| dimension(cursor)).collect::<Result<Vec<_>, _>>()?;
    shape.reverse();
    Ok(Described { name, shape, ggml_type: cursor.u32("a tensor's type")?, offset: cursor.u64("a tensor's place")? })
}

impl Described<'_> {
    fn tensor<'a>(self, data: &'a [u8], alignment: u64) -> Result<Tensor<'a>, ConvertError> {
        let Self { name, shape, ggml_type, offset } = self;
        let invalid = |message: String| ConvertError::invalid(format!("tensor '{name}': {message}"));
        let storage =
            storage(ggml_type).ok_or_else(|| ConvertError::unsupported(format!("tensor '{name}': type {ggml_type} is not read")))?;
        if !offset.is_multiple_of(alignment) {
            return Err(invalid(format!("it begins at {offset}, which is no multiple of {alignment}")));
        }
        let too_large = || invalid(format!("no tensor has shape {shape:?}"));
        let count = elements(&shape).ok_or_else(too_large)?;
        match storage {
            Storage::Plain(dtype) => {
                let bytes = count.checked_mul(dtype.bitsize() as u64 / 8).ok_or_else(too_large)?;
                Tensor::plain(name, dtype, shape.clone(), slice(data, offset, bytes, &format!("tensor '{name}'"))?)
            }
            Storage::Blocks { kernel, weights, bytes } => {
                // ggml cuts rows into blocks. Where rows are whole blocks, so is the tensor.
                if !shape.last().is_some_and(|&row| (row as u64).is_multiple_of(weights)) {
                    return Err(invalid(format!("rows of shape {shape:?} are no multiple of {weights}")));
                }
                let bytes = (count / weights).checked_mul(bytes).ok_or_else(too_large)?;
                Tensor::blocks(name, shape.clone(), kernel, slice(data, offset, bytes, &format!("tensor '{name}'"))?)
            }
        }
    }
}

fn text<'a>(cursor: &mut Cursor<'a>, what: &str) -> Result<&'a str, ConvertError> {
    let length = cursor.u64(what)?;
    let bytes = cursor.take(length, what)?;
    std::str::from_utf8(bytes).map_err(|_| ConvertError::invalid(format!("{what} is not UTF-8")))
}

/// A metadata value of the given type; passed over, and null, where it is not to be kept.
fn value(cursor: &mut Cursor<'_>, kind: u32, depth: usize, keep: bool) -> Result<Value, ConvertError> {
    let what = "a value";
    Ok(match kind {
        0 => cursor.u8(what)?.into(),
        1 => i8::from_le_bytes(cursor.array(what)?).into(),
        2 => cursor.u16(what)?.into(),
        3 => i16::from_le_bytes(cursor.array(what)?).into(),
        4 => cursor.u32(what)?.into(),
        5 => i32::from_le_bytes(cursor.array(what)?).into(),
        6 => f32::from_le_bytes(cursor.array(what)?).into(),
        7 => match cursor.u8(what)? {
            0 => false.into(),
            1 => true.into(),
            other => return Err(ConvertError::invalid(format!("a truth value is {other}"))),
        },
        8 => {
            let text = text(cursor, what)?;
            if keep { text.into() } else { Value::Null }
        }
        9 => {
            if depth == MAX_DEPTH {
                return Err(ConvertError::invalid("arrays within arrays within arrays"));
            }
            let (kind, count) = (cursor.u32("an array's type")?, cursor.u64("an array's length")?);
            let least = match kind {
                0 | 1 | 7 => 1,
                2 | 3 => 2,
                4..=6 => 4,
                _ => 8,
            };
            let mut items = Vec::new();
            for _ in 0..cursor.count(count, least, "items of an array")? {
                let item = value(cursor, kind, depth + 1, keep)?;
                if keep {
                    items.push(item);
                }
            }
            Value::Array(items)
        }
        10 => cursor.u64(what)?.into(),
        11 => i64::from_le_bytes(cursor.array(what)?).into(),
        12 => f64::from_le_bytes(cursor.array(what)?).into(),
        other => return Err(ConvertError::invalid(format!("value type {other} is not known"))),
    })
}

#[cfg(test)]
mod tests {
    use weighbridge::kernel::Context;
    use weighbridge::registry::Registry;
    use weighbridge::sample;
    use weighbridge::weights::{Values, Weights};

    use super::*;
    use crate::convert::testing::{assert_total, f32_bytes};

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn describe(name: &str, dimensions: &[u64], ggml_type: u32, offset: u64) -> Vec<u8> {
        let mut bytes = text(name);
        bytes.extend(u32::try_from(dimensions.len()).unwrap().to_le_bytes());
        bytes.extend(dimensions.iter().flat_map(|d| d.to_le_bytes()));
        bytes.extend(ggml_type.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes
    }

    /// Two tensors: 2 × 3 of f32, and 2 × 32 in blocks of a type.
    fn sample(ggml_type: u32, blocks: &[u8]) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend([2u64.to_le_bytes(), 3u64.to_le_bytes()].concat());
        bytes.extend([text("general.alignment"), 4u32.to_le_bytes().to_vec(), 32u32.to_le_bytes().to_vec()].concat());
        bytes.extend([text("tokens"), 9u32.to_le_bytes().to_vec(), 8u32.to_le_bytes().to_vec(), 2u64.to_le_bytes().to_vec()].concat());
        bytes.extend([text("a"), text("Ġb")].concat());
        bytes.extend([text("scale"), 6u32.to_le_bytes().to_vec(), 0.5f32.to_le_bytes().to_vec()].concat());
        bytes.extend(describe("plain", &[3, 2], 0, 0));
        bytes.extend(describe("blocks", &[32, 2], ggml_type, 32));
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(f32_bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        bytes.extend([0; 8]);
        bytes.extend_from_slice(blocks);
        bytes
    }

    #[test]
    fn blocks_decode_to_what_the_kernel_makes_of_them_and_dimensions_turn_round() {
        let weights = Weights::new("w", vec![2, 32], Values::F32(sample::gaussian(64, 0.05, 3))).unwrap();
        for (ggml_type, spec) in [(2, "q4_0"), (3, "q4_1"), (6, "q5_0"), (7, "q5_1"), (8, "q8_0"), (20, "iq4_nl")] {
            let kernel = Registry::default().parse(spec).unwrap();
            let parts = kernel.encode(&weights, &Context::default()).unwrap();
            let file = sample(ggml_type, parts.get("blocks").unwrap());
            let tensors = read(&file).unwrap();
            assert_eq!((tensors[0].name.as_str(), &tensors[0].shape[..]), ("plain", &[2, 3][..]));
            assert_eq!((tensors[1].dtype, &tensors[1].shape[..]), (Dtype::F32, &[2, 32][..]));
            let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
            assert_eq!(*tensors[1].plain_bytes().unwrap(), *decoded.bytes(), "{spec}");
            if spec == "q4_1" {
                assert_total(read, &file);
            }
        }
    }

    #[test]
    fn sizes_of_blocks_are_those_of_the_kernels() {
        let weights = Weights::new("w", vec![1, 256], Values::F32(sample::gaussian(256, 0.05, 3))).unwrap();
        let mut seen = 0;
        for ggml_type in 0..64 {
            let Some(Storage::Blocks { kernel, weights: count, bytes }) = storage(ggml_type) else { continue };
            let parts = Registry::default().parse(kernel).unwrap().encode(&weights, &Context::default()).unwrap();
            assert_eq!(parts.get("blocks").unwrap().len() as u64, 256 / count * bytes, "{kernel}");
            seen += 1;
        }
        assert_eq!(seen, 13);
    }

    #[test]
    fn metadata_is_json_with_sorted_keys() {
        let file = sample(3, &[0; 40]);
        assert_eq!(metadata(&file).unwrap(), "{\"general.alignment\":32,\"scale\":0.5,\"tokens\":[\"a\",\"Ġb\"]}\n");
        for end in 0..200 {
            let _ = metadata(&file[..end]);
        }
    }

    #[test]
    fn lies_are_named() {
        let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        let file = sample(3, &[0; 39]);
        assert!(error(&file).contains("tensor 'blocks' wants 40 bytes"), "{}", error(&file));
        assert!(error(&sample(99, &[0; 40])).contains("type 99 is not read"));
        assert!(error(&sample(12, &[0; 40])).contains("no multiple of 256"));
        let mut many = sample(3, &[0; 40]);
        many[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(error(&many).contains("18446744073709551615 tensors wants"), "{}", error(&many));
    }
}
