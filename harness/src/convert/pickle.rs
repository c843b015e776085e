//! Reading pickles without running them.
//!
//! A pickle is a program for a stack machine (Python's pickletools.py) that may call anything. This reader knows the operations that build
//! plain values and three calls: `OrderedDict`, PyTorch's `_rebuild_tensor_v2`, and the names of its storage types. None of them runs: each
//! becomes a node that describes what would have been built. Any other name is an error that says which.
//!
//! Nodes live in one list and refer to each other by place, as pickled objects do: a dictionary that is filled after it was referred to is
//! one node, and a list that holds itself is no endless loop here.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::ConvertError;
use super::cursor::Cursor;

/// Place of a node.
pub type Id = usize;

/// A value that a pickle describes.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `None`, and what a state dictionary carries beside tensors and is not looked at: floats, bytes, large integers.
    Opaque,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A text.
    Text(String),
    /// A tuple or list.
    Sequence(Vec<Id>),
    /// A dictionary, in order of insertion.
    Dict(Vec<(Id, Id)>),
    /// A name that may be called.
    Callable(Callable),
    /// A storage type.
    StorageType(Dtype),
    /// A storage, which lies outside the pickle.
    Storage(Storage),
    /// A tensor over a storage.
    Tensor(View),
}

/// What may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callable {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`.
    RebuildTensor,
}

/// A storage: elements of one type under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Element type.
    pub dtype: Dtype,
    /// Its key.
    pub key: String,
    /// Number of elements.
    pub elements: u64,
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The storage.
    pub storage: Storage,
    /// Its first element.
    pub offset: u64,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Strides, in elements.
    pub strides: Vec<u64>,
}

/// The nodes of a pickle.
#[derive(Debug)]
pub struct Pickle {
    nodes: Vec<Node>,
    root: Id,
}

impl Pickle {
    /// Reads one pickle; the cursor stops behind it.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, ConvertError> {
        let pairs_left = cursor.remaining();
        Machine { nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: BTreeMap::new(), pairs_left }.run(cursor)
    }

    /// The value that was pickled.
    pub fn root(&self) -> Id {
        self.root
    }

    /// The node at a place.
    pub fn node(&self, id: Id) -> &Node {
        self.nodes.get(id).unwrap_or(&Node::Opaque)
    }
}

/// Most dimensions of a tensor and bytes of a storage's key. A call can be repeated in a few bytes, so what it copies
/// must be small.
const MAX_COPIED: usize = 64;

/// Stack, marks and memo of a pickle being read. Every operation adds one node and one entry at most, so all of it is bounded by the bytes.
struct Machine {
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
    /// Pairs that may still be copied into dictionaries: an honest pickle makes each dictionary of a list of its own.
    pairs_left: usize,
}

impl Machine {
    fn run(mut self, cursor: &mut Cursor<'_>) -> Result<Pickle, ConvertError> {
        loop {
            let at = cursor.position();
            let operation = cursor.u8("a pickle's operation")?;
            if operation == b'.' {
                let root = self.pop()?;
                return Ok(Pickle { nodes: self.nodes, root });
            }
            self.step(operation, cursor).map_err(|e| match e {
                ConvertError::Invalid(message) => ConvertError::invalid(format!("pickle, byte {at}: {message}")),
                other => other,
            })?;
        }
    }

    fn step(&mut self, operation: u8, cursor: &mut Cursor<'_>) -> Result<(), ConvertError> {
        match operation {
            // PROTO, FRAME: version and length of what follows.
            0x80 => drop(cursor.u8("a protocol")?),
            0x95 => drop(cursor.u64("a frame")?),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Node::Opaque),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'J' => self.push(Node::Int(i64::from(i32::from_le_bytes(cursor.array("an integer")?)))),
            b'K' => self.push(Node::Int(i64::from(cursor.u8("an integer")?))),
            b'M' => self.push(Node::Int(i64::from(cursor.u16("an integer")?))),
            0x8a => self.long(cursor)?,
            b'G' => drop(cursor.take(8, "a float").map(|_| self.push(Node::Opaque))?),
            // BINUNICODE, SHORT_BINUNICODE; Python 2's strings are texts too.
            b'X' | b'T' => self.text(u64::from(cursor.u32("a text's length")?), cursor)?,
            0x8c | b'U' => self.text(u64::from(cursor.u8("a text's length")?), cursor)?,
            0x8d => self.text(cursor.u64("a text's length")?, cursor)?,
            b'B' => self.skipped(u64::from(cursor.u32("a length")?), cursor)?,
            b'C' => self.skipped(u64::from(cursor.u8("a length")?), cursor)?,
            b')' | b']' => self.push(Node::Sequence(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b't' | b'l' => self.sequence_to_mark()?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'a' => self.append(1)?,
            b'e' => self.append_to_mark()?,
            b's' => self.set_items(2)?,
            b'u' => self.set_to_mark()?,
            b'q' => self.remember(u32::from(cursor.u8("a place in the memo")?))?,
            b'r' => self.remember(cursor.u32("a place in the memo")?)?,
            0x94 => self.remember(u32::try_from(self.memo.len()).unwrap_or(u32::MAX))?,
            b'h' => self.recall(u32::from(cursor.u8("a place in the memo")?))?,
            b'j' => self.recall(cursor.u32("a place in the memo")?)?,
            b'0' => drop(self.pop()?),
            b'c' => {
                let (module, name) = (line(cursor)?, line(cursor)?);
                self.global(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                self.global(&module, &name)?;
            }
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => self.storage()?,
            _ => {
                let character = char::from(operation);
                return Err(ConvertError::invalid(format!("operation {operation:#04x} ('{}') is not read", character.escape_default())));
            }
        }
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn pop(&mut self) -> Result<Id, ConvertError> {
        // What lies below a mark belongs to someone else.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(ConvertError::invalid("the stack is empty"));
        }
        self.stack.pop().ok_or_else(|| ConvertError::invalid("the stack is empty"))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, ConvertError> {
        let start = self.marks.pop().ok_or_else(|| ConvertError::invalid("there is no mark"))?;
        Ok(self.stack.split_off(start.min(self.stack.len())))
    }

    fn pop_text(&mut self) -> Result<String, ConvertError> {
        let id = self.pop()?;
        match self.nodes.get(id) {
            Some(Node::Text(text)) => Ok(text.clone()),
            _ => Err(ConvertError::invalid("a name is no text")),
        }
    }

    fn long(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ConvertError> {
        let length = cursor.u8("an integer's length")?;
        let bytes = cursor.take(u64::from(length), "an integer")?;
        let mut value = [if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 }; 8];
        match value.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                self.push(Node::Int(i64::from_le_bytes(value)));
            }
            None => self.push(Node::Opaque),
        }
        Ok(())
    }

    fn text(&mut self, length: u64, cursor: &mut Cursor<'_>) -> Result<(), ConvertError> {
        let bytes = cursor.take(length, "a text")?;
        let text = std::str::from_utf8(bytes).map_err(|_| ConvertError::invalid("a text is not UTF-8"))?;
        self.push(Node::Text(text.to_owned()));
        Ok(())
    }

    fn skipped(&mut self, length: u64, cursor: &mut Cursor<'_>) -> Result<(), ConvertError> {
        cursor.take(length, "bytes")?;
        self.push(Node::Opaque);
        Ok(())
    }

    fn sequence_to_mark(&mut self) -> Result<(), ConvertError> {
        let items = self.pop_mark()?;
        self.push(Node::Sequence(items));
        Ok(())
    }

    fn tuple(&mut self, count: usize) -> Result<(), ConvertError> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.push(Node::Sequence(items));
        Ok(())
    }

    fn append(&mut self, count: usize) -> Result<(), ConvertError> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.extend(&items)
    }

    fn append_to_mark(&mut self) -> Result<(), ConvertError> {
        let items = self.pop_mark()?;
        self.extend(&items)
    }

    fn extend(&mut self, items: &[Id]) -> Result<(), ConvertError> {
        match self.top()? {
            Node::Sequence(list) => list.extend_from_slice(items),
            _ => return Err(ConvertError::invalid("items are appended to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, count: usize) -> Result<(), ConvertError> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.insert(&items)
    }

    fn set_to_mark(&mut self) -> Result<(), ConvertError> {
        let items = self.pop_mark()?;
        self.insert(&items)
    }

    fn insert(&mut self, items: &[Id]) -> Result<(), ConvertError> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(ConvertError::invalid("a key has no value"));
        }
        match self.top()? {
            Node::Dict(dict) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(ConvertError::invalid("items are set in what is no dictionary")),
        }
        Ok(())
    }

    fn top(&mut self) -> Result<&mut Node, ConvertError> {
        let id = self.stack.last().copied();
        id.and_then(|id| self.nodes.get_mut(id)).ok_or_else(|| ConvertError::invalid("the stack is empty"))
    }

    fn remember(&mut self, place: u32) -> Result<(), ConvertError> {
        let id = self.stack.last().copied().ok_or_else(|| ConvertError::invalid("the stack is empty"))?;
        self.memo.insert(place, id);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<(), ConvertError> {
        let id = self.memo.get(&place).copied().ok_or_else(|| ConvertError::invalid(format!("nothing was remembered as {place}")))?;
        self.stack.push(id);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), ConvertError> {
        let node = match (module, name) {
            ("collections", "OrderedDict") => Node::Callable(Callable::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Node::Callable(Callable::RebuildTensor),
            ("torch", storage) => match storage_dtype(storage) {
                Some(dtype) => Node::StorageType(dtype),
                None => return Err(ConvertError::Global(format!("{module}.{name}"))),
            },
            _ => return Err(ConvertError::Global(format!("{module}.{name}"))),
        };
        self.push(node);
        Ok(())
    }

    /// REDUCE: a callable and its arguments.
    fn reduce(&mut self) -> Result<(), ConvertError> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let arguments = self.sequence(arguments)?;
        let node = match self.nodes.get(callable) {
            Some(Node::Callable(Callable::OrderedDict)) => match *arguments {
                [] => Node::Dict(Vec::new()),
                [pairs] => {
                    let pairs = self.sequence(pairs)?;
                    let left = self.pairs_left.checked_sub(pairs.len());
                    let left = left.ok_or_else(|| ConvertError::invalid("its dictionaries are copies of each other"))?;
                    let pair = |&pair: &Id| match *self.sequence(pair)? {
                        [key, value] => Ok((key, value)),
                        _ => Err(ConvertError::invalid("an OrderedDict is made of what are no pairs")),
                    };
                    let dict = Node::Dict(pairs.iter().map(pair).collect::<Result<_, _>>()?);
                    self.pairs_left = left;
                    dict
                }
                _ => return Err(ConvertError::invalid("an OrderedDict has more than one argument")),
            },
            Some(Node::Callable(Callable::RebuildTensor)) => Node::Tensor(self.view(arguments)?),
            _ => return Err(ConvertError::invalid("something is called that is no function")),
        };
        self.push(node);
        Ok(())
    }

    /// BUILD: attributes of a dictionary, such as a state dictionary's versions; they are not looked at.
    fn build(&mut self) -> Result<(), ConvertError> {
        self.pop()?;
        match self.top()? {
            Node::Dict(_) => Ok(()),
            _ => Err(ConvertError::invalid("attributes are set on what is no dictionary")),
        }
    }

    /// BINPERSID: `('storage', type, key, place, elements)`, and where it is a view of another storage, which one.
    fn storage(&mut self) -> Result<(), ConvertError> {
        let id = self.pop()?;
        let items = self.sequence(id)?;
        let node = |i: usize| items.get(i).and_then(|&id| self.nodes.get(id));
        let storage = match (node(0), node(1), node(2), node(4)) {
            (Some(Node::Text(tag)), Some(&Node::StorageType(dtype)), Some(Node::Text(key)), Some(&Node::Int(elements)))
                if tag == "storage" =>
            {
                let elements = u64::try_from(elements).map_err(|_| ConvertError::invalid("a storage has a negative length"))?;
                if key.len() > MAX_COPIED {
                    return Err(ConvertError::invalid(format!("a storage's key has {} bytes", key.len())));
                }
                Storage { dtype, key: key.clone(), elements }
            }
            _ => return Err(ConvertError::invalid("a persistent object is no storage")),
        };
        if !matches!(node(5), None | Some(Node::Opaque)) {
            return Err(ConvertError::unsupported("a storage is a view of another storage, which is not read"));
        }
        self.push(Node::Storage(storage));
        Ok(())
    }

    /// Arguments of `_rebuild_tensor_v2`: storage, offset, size, stride, requires_grad, hooks.
    fn view(&self, arguments: &[Id]) -> Result<View, ConvertError> {
        let node = |i: usize| arguments.get(i).and_then(|&id| self.nodes.get(id));
        let (Some(Node::Storage(storage)), Some(&Node::Int(offset)), Some(&size), Some(&stride)) =
            (node(0), node(1), arguments.get(2), arguments.get(3))
        else {
            return Err(ConvertError::invalid("a tensor is not built from a storage, an offset, a size and strides"));
        };
        let number = |&id: &Id| match self.nodes.get(id) {
            Some(&Node::Int(n)) => u64::try_from(n).ok(),
            _ => None,
        };
        let numbers = |id: Id| -> Result<Vec<u64>, ConvertError> {
            let items = self.sequence(id)?;
            if items.len() > MAX_COPIED {
                return Err(ConvertError::invalid(format!("a tensor has {} dimensions", items.len())));
            }
            items.iter().map(number).collect::<Option<_>>().ok_or_else(|| ConvertError::invalid("a size or stride is no count"))
        };
        let shape = numbers(size)?.into_iter().map(|d| usize::try_from(d).ok()).collect::<Option<_>>();
        Ok(View {
            storage: storage.clone(),
            offset: u64::try_from(offset).map_err(|_| ConvertError::invalid("a tensor begins before its storage"))?,
            shape: shape.ok_or_else(|| ConvertError::invalid("a size is no count"))?,
            strides: numbers(stride)?,
        })
    }

    fn sequence(&self, id: Id) -> Result<&[Id], ConvertError> {
        match self.nodes.get(id) {
            Some(Node::Sequence(items)) => Ok(items),
            _ => Err(ConvertError::invalid("a tuple is expected")),
        }
    }
}

/// A line of text, without its end.
fn line(cursor: &mut Cursor<'_>) -> Result<String, ConvertError> {
    let mut bytes = Vec::new();
    loop {
        match cursor.u8("a name")? {
            b'\n' => break,
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| ConvertError::invalid("a name is not UTF-8"))
}

fn storage_dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Pickle, ConvertError> {
        Pickle::read(&mut Cursor::new(bytes))
    }

    #[test]
    fn a_call_that_is_not_known_is_named_and_not_made() {
        // What a malicious pickle looks like: os.system('…').
        let error = read(b"\x80\x02cos\nsystem\nX\x04\0\0\0echo\x85R.").unwrap_err();
        assert!(matches!(&error, ConvertError::Global(name) if name == "os.system"), "{error}");
        let error = read(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.").unwrap_err().to_string();
        assert!(error.contains("'builtins.eval'"), "{error}");
        let error = read(b"\x80\x02ctorch\nload\n.").unwrap_err().to_string();
        assert!(error.contains("'torch.load'"), "{error}");
    }

    #[test]
    fn values_are_shared_and_filled_late() {
        // {'a': x, 'b': x} with x a dictionary that is filled after it was remembered.
        let pickle = read(b"\x80\x02}q\0(X\x01\0\0\0a}q\x01X\x01\0\0\0kK\x07sX\x01\0\0\0bh\x01u.").unwrap();
        let Node::Dict(outer) = pickle.node(pickle.root()) else { panic!("{pickle:?}") };
        assert_eq!(outer[0].1, outer[1].1);
        assert!(matches!(pickle.node(outer[1].1), Node::Dict(inner) if inner.len() == 1));
    }

    #[test]
    fn integers_of_every_form() {
        let value = |bytes: &[u8]| read(bytes).map(|p| p.node(p.root()).clone()).unwrap();
        assert_eq!(value(b"J\xff\xff\xff\xff."), Node::Int(-1));
        assert_eq!(value(b"M\xe9\x03."), Node::Int(1001));
        assert_eq!(value(b"\x8a\x02\x00\xff."), Node::Int(-256));
        assert_eq!(value(b"\x8a\x00."), Node::Int(0));
        assert_eq!(value(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."), Node::Opaque);
    }

    #[test]
    fn what_a_mark_protects_is_not_taken() {
        for broken in [&b"K\x01(0."[..], b"t.", b".", b"K\x01R.", b"]K\x01K\x02s.", b"h\x05.", b"K\x01K\x02b.", b"(K\x01u."] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn any_operations_are_a_value_or_an_error(operations in prop::collection::vec(prop::sample::select(&b"(NK\x01M]})tle\x85\x86\x87asuq\0h\0RbQ0.\x88"[..]), 0..60)) {
            let _ = read(&operations);
        }
    }
}
