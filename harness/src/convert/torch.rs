//! PyTorch's files: the zip archives that `torch.save` writes since 1.6, and the form before.
//!
//! Zip (torch/csrc/.. caffe2/serialize): `NAME/data.pkl` is the pickle, `NAME/data/KEY` the storages. Before (torch/serialization.py,
//! `_legacy_save`): pickles of a magic number, a version and the system's sizes, the pickle itself, a pickled list of keys, and for each
//! key a count and the elements. State dictionaries within dictionaries are joined by dots: `model_state.lstm.weight_ih_l0`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::Dtype;

use super::cursor::Cursor;
use super::members::Members;
use super::pickle::{Id, Node, Pickle, View};
use super::{ConvertError, Tensor, strided};

/// How a file before 1.6 begins: PROTO 2, and the magic number as a long of ten bytes.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// Version of that form.
const LEGACY_VERSION: i64 = 1001;
/// Most dictionaries within each other.
const MAX_DEPTH: usize = 32;
/// Longest name and most tensors.
const MAX_NAME_BYTES: usize = 4096;
const MAX_TENSORS: usize = 100_000;
/// Most values that are looked at: shared dictionaries may be met again and again.
const MAX_VISITS: usize = 1_000_000;

/// All tensors of a file that `torch.save` wrote.
pub fn read(bytes: &[u8]) -> Result<Vec<Tensor<'_>>, ConvertError> {
    if bytes.starts_with(b"PK") { read_zip(bytes) } else { read_legacy(bytes) }
}

fn read_zip(bytes: &[u8]) -> Result<Vec<Tensor<'_>>, ConvertError> {
    let mut members = Members::open(bytes)?;
    let names = members.names()?;
    let pickles = names.iter().filter_map(|n| n.strip_suffix("data.pkl")).filter(|p| p.is_empty() || p.ends_with('/'));
    let mut pickles = pickles.collect::<Vec<_>>();
    let (Some(folder), None) = (pickles.pop(), pickles.pop()) else {
        return Err(ConvertError::invalid("not a file of torch.save: it has not one 'data.pkl'"));
    };
    if names.iter().any(|n| n.strip_prefix(folder).is_some_and(|n| n.starts_with("code/"))) {
        return Err(ConvertError::unsupported("it is a TorchScript archive; files of torch.save are read"));
    }
    let order = format!("{folder}byteorder");
    if names.contains(&order) && members.read(&order)?.trim_ascii() != b"little" {
        return Err(ConvertError::unsupported("its storages are big-endian; little-endian ones are read"));
    }
    let pickle = members.read(&format!("{folder}data.pkl"))?;
    let views = views(&Pickle::read(&mut Cursor::new(&pickle))?)?;
    let mut storages = BTreeMap::<String, Cow<'_, [u8]>>::new();
    for (_, view) in &views {
        let key = &view.storage.key;
        if !storages.contains_key(key) {
            storages.insert(key.clone(), members.read(&format!("{folder}data/{key}"))?);
        }
    }
    views
        .into_iter()
        .map(|(name, view)| match storages.get(&view.storage.key) {
            Some(Cow::Borrowed(storage)) => tensor(name, view, storage),
            Some(Cow::Owned(storage)) => tensor(name, view, storage)?.into_owned(),
            None => Err(ConvertError::invalid(format!("storage '{}' is missing", view.storage.key))),
        })
        .collect()
}

fn read_legacy(bytes: &[u8]) -> Result<Vec<Tensor<'_>>, ConvertError> {
    let Some(rest) = bytes.strip_prefix(LEGACY_MAGIC) else {
        return Err(ConvertError::invalid("not a file of torch.save"));
    };
    let mut cursor = Cursor::new(rest);
    let version = Pickle::read(&mut cursor)?;
    if *version.node(version.root()) != Node::Int(LEGACY_VERSION) {
        return Err(ConvertError::unsupported(format!("its version is {:?}; {LEGACY_VERSION} is read", version.node(version.root()))));
    }
    let system = Pickle::read(&mut cursor)?;
    if is_big_endian(&system) {
        return Err(ConvertError::unsupported("its storages are big-endian; little-endian ones are read"));
    }
    let views = views(&Pickle::read(&mut cursor)?)?;
    let keys = Pickle::read(&mut cursor)?;
    let Node::Sequence(ids) = keys.node(keys.root()) else {
        return Err(ConvertError::invalid("its list of storages is no list"));
    };
    let dtypes: BTreeMap<&str, Dtype> = views.iter().map(|(_, v)| (v.storage.key.as_str(), v.storage.dtype)).collect();
    let mut storages = BTreeMap::<String, &[u8]>::new();
    for &id in ids {
        let Node::Text(key) = keys.node(id) else { return Err(ConvertError::invalid("a storage's key is no text")) };
        // A storage of no tensor has a length nobody knows: its elements have no dtype.
        let dtype = *dtypes.get(key.as_str()).ok_or_else(|| ConvertError::unsupported(format!("no tensor uses storage '{key}'")))?;
        let bytes = cursor.u64("a storage's length")?.saturating_mul(dtype.bitsize() as u64 / 8);
        storages.insert(key.clone(), cursor.take(bytes, &format!("storage '{key}'"))?);
    }
    views
        .into_iter()
        .map(|(name, view)| match storages.get(&view.storage.key) {
            Some(storage) => tensor(name, view, storage),
            None => Err(ConvertError::invalid(format!("storage '{}' is missing", view.storage.key))),
        })
        .collect()
}

/// Whether the system's sizes say `little_endian: False`.
fn is_big_endian(system: &Pickle) -> bool {
    let Node::Dict(items) = system.node(system.root()) else { return false };
    let names = |id: Id| matches!(system.node(id), Node::Text(key) if key == "little_endian");
    items.iter().any(|&(key, value)| names(key) && *system.node(value) == Node::Bool(false))
}

fn tensor<'a>(name: String, view: View, storage: &'a [u8]) -> Result<Tensor<'a>, ConvertError> {
    let View { storage: described, offset, shape, strides } = view;
    let wanted = described.elements.saturating_mul(described.dtype.bitsize() as u64 / 8);
    if wanted != storage.len() as u64 {
        let (key, found) = (described.key, storage.len());
        return Err(ConvertError::invalid(format!("storage '{key}' holds {found} bytes, the pickle says {wanted}")));
    }
    strided::tensor(&name, described.dtype, shape, &strides, offset, storage)
}

/// The tensors of a pickle with their names, in its order.
fn views(pickle: &Pickle) -> Result<Vec<(String, View)>, ConvertError> {
    let mut views = Vec::new();
    let mut visits = 0;
    walk(pickle, pickle.root(), "", 0, &mut visits, &mut views)?;
    if views.is_empty() {
        return Err(ConvertError::invalid("it holds no tensors"));
    }
    Ok(views)
}

fn walk(
    pickle: &Pickle,
    id: Id,
    name: &str,
    depth: usize,
    visits: &mut usize,
    views: &mut Vec<(String, View)>,
) -> Result<(), ConvertError> {
    *visits += 1;
    if depth > MAX_DEPTH || *visits > MAX_VISITS || views.len() > MAX_TENSORS || name.len() > MAX_NAME_BYTES {
        let name = name.chars().take(100).collect::<String>();
        return Err(ConvertError::invalid(format!("'{name}': names, tensors or dictionaries within dictionaries beyond any limit")));
    }
    let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match pickle.node(id) {
        Node::Tensor(view) => views.push((name.to_owned(), view.clone())),
        Node::Dict(items) => {
            for &(key, value) in items {
                let key = match pickle.node(key) {
                    Node::Text(key) => inner(key),
                    Node::Int(key) => inner(&key.to_string()),
                    _ => continue,
                };
                walk(pickle, value, &key, depth + 1, visits, views)?;
            }
        }
        Node::Sequence(items) => {
            for (i, &value) in items.iter().enumerate() {
                walk(pickle, value, &inner(&i.to_string()), depth + 1, visits, views)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::testing::{assert_total, f32_bytes, zip_of};

    /// A pickled text.
    fn text(text: &str) -> Vec<u8> {
        [&b"X"[..], &u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat()
    }

    /// `_rebuild_tensor_v2(storage, offset, size, stride, False, OrderedDict())`.
    fn tensor(storage: &str, key: &str, elements: u8, offset: u8, size: &[u8], stride: &[u8]) -> Vec<u8> {
        let tuple = |values: &[u8]| [&b"("[..], &values.iter().flat_map(|&v| [b'K', v]).collect::<Vec<_>>(), b"t"].concat();
        [
            b"ctorch._utils\n_rebuild_tensor_v2\n((",
            &text("storage")[..],
            format!("ctorch\n{storage}\n").as_bytes(),
            &text(key),
            &text("cpu"),
            &[b'K', elements, b't', b'Q', b'K', offset],
            &tuple(size),
            &tuple(stride),
            b"\x89ccollections\nOrderedDict\n)RtR",
        ]
        .concat()
    }

    /// {'model': OrderedDict(w=[[1, 2, 3], [4, 5, 6]], t=wᵀ, n=7), 'step': 5}, the inner one with an attribute.
    fn pickle() -> Vec<u8> {
        let mut bytes = b"\x80\x02}q\0(".to_vec();
        bytes.extend(text("model"));
        bytes.extend_from_slice(b"ccollections\nOrderedDict\n)R(");
        for (name, tensor) in [
            ("w", tensor("FloatStorage", "0", 6, 0, &[2, 3], &[3, 1])),
            ("t", tensor("FloatStorage", "0", 6, 0, &[3, 2], &[1, 3])),
            ("n", tensor("LongStorage", "1", 1, 0, &[], &[])),
        ] {
            bytes.extend(text(name));
            bytes.extend(tensor);
        }
        bytes.extend_from_slice(b"u}(");
        bytes.extend(text("_metadata"));
        bytes.extend_from_slice(b"Nub");
        bytes.extend(text("step"));
        bytes.extend_from_slice(b"K\x05u.");
        bytes
    }

    const VALUES: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

    fn zip(deflate: bool) -> Vec<u8> {
        let (pickle, values) = (pickle(), f32_bytes(&VALUES));
        let members =
            [("a/data.pkl", &pickle[..]), ("a/byteorder", b"little"), ("a/data/0", &values), ("a/data/1", &[7, 0, 0, 0, 0, 0, 0, 0])];
        zip_of(&members, deflate)
    }

    fn legacy() -> Vec<u8> {
        let mut bytes = LEGACY_MAGIC.to_vec();
        bytes.extend_from_slice(b"\x80\x02M\xe9\x03.\x80\x02}(");
        bytes.extend(text("little_endian"));
        bytes.extend_from_slice(b"\x88u.");
        bytes.extend(pickle());
        bytes.extend_from_slice(b"\x80\x02](");
        bytes.extend([text("0"), text("1")].concat());
        bytes.extend_from_slice(b"e.");
        bytes.extend_from_slice(&6u64.to_le_bytes());
        bytes.extend(f32_bytes(&VALUES));
        bytes.extend_from_slice(&1u64.to_le_bytes());
        bytes.extend_from_slice(&7i64.to_le_bytes());
        bytes
    }

    #[test]
    fn both_forms_give_the_same_tensors() {
        for file in [zip(false), zip(true), legacy()] {
            let tensors = read(&file).unwrap();
            let names = tensors.iter().map(|t| (t.name.as_str(), t.dtype, t.shape.clone())).collect::<Vec<_>>();
            assert_eq!(names, [("model.w", Dtype::F32, vec![2, 3]), ("model.t", Dtype::F32, vec![3, 2]), ("model.n", Dtype::I64, vec![])]);
            assert_eq!(*tensors[0].plain_bytes().unwrap(), f32_bytes(&VALUES));
            assert_eq!(*tensors[1].plain_bytes().unwrap(), f32_bytes(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
            assert_total(read, &file);
        }
    }

    #[test]
    fn storages_of_other_lengths_and_views_outside_are_errors() {
        let with = |tensor: Vec<u8>, storage: &[u8]| {
            let pickle = [&b"\x80\x02}("[..], &text("w"), &tensor, b"u."].concat();
            read(&zip_of(&[("a/data.pkl", &pickle), ("a/data/0", storage)], false)).unwrap_err().to_string()
        };
        let error = with(tensor("FloatStorage", "0", 6, 0, &[6], &[1]), &[0; 20]);
        assert!(error.contains("storage '0' holds 20 bytes, the pickle says 24"), "{error}");
        let error = with(tensor("FloatStorage", "0", 6, 1, &[6], &[1]), &[0; 24]);
        assert!(error.contains("'w'") && error.contains("leaves a storage of 6"), "{error}");
        let error = with(tensor("FloatStorage", "0", 1, 0, &[255, 255], &[0, 0]), &[0; 4]);
        assert!(error.contains("leaves a storage of 1"), "{error}");
        let error = with(tensor("FloatStorage", "1", 6, 1, &[6], &[1]), &[0; 24]);
        assert!(error.contains("'a/data/1': missing"), "{error}");
        let error = with(tensor("UntypedStorage", "0", 6, 1, &[6], &[1]), &[0; 24]);
        assert!(error.contains("'torch.UntypedStorage'"), "{error}");
    }

    #[test]
    fn a_dictionary_that_holds_itself_ends() {
        // d = {}; d['k'] = d
        let pickle = [&b"\x80\x02}q\0"[..], &text("k"), b"h\0s."].concat();
        let error = read(&zip_of(&[("a/data.pkl", &pickle)], false)).unwrap_err().to_string();
        assert!(error.contains("beyond any limit"), "{error}");
        // Twenty dictionaries, each of which holds the next one four times: 4^20 ways.
        let mut deep = b"\x80\x02}".to_vec();
        for i in 0..20u8 {
            deep.extend_from_slice(&[b'q', i, b'0', b'}', b'(']);
            for key in ["a", "b", "c", "d"] {
                deep.extend(text(key));
                deep.extend_from_slice(&[b'h', i]);
            }
            deep.push(b'u');
        }
        deep.push(b'.');
        let error = read(&zip_of(&[("a/data.pkl", &deep)], false)).unwrap_err().to_string();
        assert!(error.contains("beyond any limit"), "{error}");
    }

    #[test]
    fn scripts_big_endian_files_and_others_are_refused_in_words() {
        let script = zip_of(&[("a/data.pkl", &pickle()), ("a/code/x.py", b"")], false);
        assert!(read(&script).unwrap_err().to_string().contains("TorchScript"));
        let big = zip_of(&[("a/data.pkl", &pickle()), ("a/byteorder", b"big")], false);
        assert!(read(&big).unwrap_err().to_string().contains("big-endian"));
        assert!(read(b"\x80\x02}.").unwrap_err().to_string().contains("not a file of torch.save"));
        assert!(read(&zip_of(&[("x", b"")], false)).unwrap_err().to_string().contains("data.pkl"));
    }
}
