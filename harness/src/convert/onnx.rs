//! ONNX (onnx.proto3): initialisers of the graph, and the tensors of its `Constant` nodes, where exporters put weights too.
//!
//! The messages below hold the fields that are needed, by their numbers; prost passes over the others. Constants are named by their output.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost::Message;
use safetensors::Dtype;

use super::{ConvertError, Tensor};

/// Deepest graph within a graph: bodies of loops and branches.
const MAX_DEPTH: usize = 8;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Operation>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Stored>,
    #[prost(message, repeated, tag = "15")]
    sparse_initializer: Vec<Sparse>,
}

#[derive(Clone, PartialEq, Message)]
struct Sparse {}

#[derive(Clone, PartialEq, Message)]
struct Operation {
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "5")]
    t: Option<Stored>,
    #[prost(message, optional, tag = "6")]
    g: Option<Graph>,
}

/// `TensorProto`.
#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    uint64_data: Vec<u64>,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

/// All initialisers and constants of an ONNX model, in its order.
pub fn read(bytes: &[u8]) -> Result<Vec<Tensor<'_>>, ConvertError> {
    let model = Model::decode(bytes).map_err(|e| ConvertError::invalid(format!("not an ONNX model: {e}")))?;
    let graph = model.graph.ok_or_else(|| ConvertError::invalid("not an ONNX model: it has no graph"))?;
    let mut tensors = Vec::new();
    take_graph(graph, 0, &mut tensors)?;
    if tensors.is_empty() {
        return Err(ConvertError::invalid("it holds no initialisers and no constants"));
    }
    Ok(tensors)
}

/// The metadata of an ONNX model, such as the characters that a recogniser names, as one JSON object of texts.
pub fn metadata(bytes: &[u8]) -> Result<String, ConvertError> {
    let model = Model::decode(bytes).map_err(|e| ConvertError::invalid(format!("not an ONNX model: {e}")))?;
    let object = model.metadata_props.into_iter().map(|p| (p.key, p.value)).collect::<BTreeMap<_, _>>();
    let text = serde_json::to_string(&object).map_err(|e| ConvertError::invalid(e.to_string()))?;
    Ok(text + "\n")
}

fn take_graph(graph: Graph, depth: usize, tensors: &mut Vec<Tensor<'_>>) -> Result<(), ConvertError> {
    if depth > MAX_DEPTH {
        return Err(ConvertError::invalid("graphs within graphs beyond any limit"));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(ConvertError::unsupported("it has sparse initialisers, which are not read"));
    }
    for stored in graph.initializer {
        tensors.push(tensor(stored.name.clone(), stored)?);
    }
    for node in graph.node {
        let constant = node.op_type == "Constant";
        for attribute in node.attribute {
            if let Some(graph) = attribute.g {
                take_graph(graph, depth + 1, tensors)?;
            }
            if let (true, "value", Some(stored)) = (constant, attribute.name.as_str(), attribute.t) {
                let name = node.output.first().cloned().ok_or_else(|| ConvertError::invalid("a constant has no output"))?;
                tensors.push(tensor(name, stored)?);
            }
        }
    }
    Ok(())
}

fn tensor<'a>(name: String, stored: Stored) -> Result<Tensor<'a>, ConvertError> {
    let invalid = |message: String| ConvertError::invalid(format!("tensor '{name}': {message}"));
    if stored.data_location != 0 {
        return Err(ConvertError::unsupported(format!("tensor '{name}' lies in another file, which is not read")));
    }
    // onnx.proto3, `TensorProto.DataType`.
    let dtype = match stored.data_type {
        1 => Dtype::F32,
        2 => Dtype::U8,
        3 => Dtype::I8,
        4 => Dtype::U16,
        5 => Dtype::I16,
        6 => Dtype::I32,
        7 => Dtype::I64,
        9 => Dtype::BOOL,
        10 => Dtype::F16,
        11 => Dtype::F64,
        12 => Dtype::U32,
        13 => Dtype::U64,
        16 => Dtype::BF16,
        other => return Err(ConvertError::unsupported(format!("tensor '{name}': data type {other} is not read"))),
    };
    let shape = stored.dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| invalid(format!("its shape is {:?}", stored.dims)))?;
    let data = if stored.raw_data.is_empty() { typed(&stored, dtype).map_err(invalid)? } else { stored.raw_data };
    Tensor::plain(name, dtype, shape, Cow::Owned(data))
}

/// Elements that are not raw; narrow types lie in wider fields.
fn typed(stored: &Stored, dtype: Dtype) -> Result<Vec<u8>, String> {
    let narrow = |bytes: usize| -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(stored.int32_data.len() * bytes);
        for value in &stored.int32_data {
            let wide = value.to_le_bytes();
            // What is cut off must say nothing: zeros, or copies of the sign.
            let sign = if wide[bytes - 1] & 0x80 != 0 { 0xff } else { 0 };
            if wide[bytes..].iter().any(|&b| b != 0) && wide[bytes..].iter().any(|&b| b != sign) {
                return Err(format!("{value} does not fit {dtype:?}"));
            }
            out.extend_from_slice(&wide[..bytes]);
        }
        Ok(out)
    };
    Ok(match dtype {
        Dtype::F32 => stored.float_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Dtype::F64 => stored.double_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Dtype::I64 => stored.int64_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Dtype::U64 => stored.uint64_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Dtype::U32 => {
            let narrowed = stored.uint64_data.iter().map(|&v| u32::try_from(v)).collect::<Result<Vec<_>, _>>();
            narrowed.map_err(|e| e.to_string())?.iter().flat_map(|v| v.to_le_bytes()).collect()
        }
        _ => narrow(dtype.bitsize() / 8)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::convert::testing::{assert_total, f32_bytes};

    fn stored(name: &str, data_type: i32, dims: &[i64]) -> Stored {
        Stored { name: name.to_owned(), data_type, dims: dims.to_vec(), ..Stored::default() }
    }

    fn sample() -> Model {
        let raw = Stored { raw_data: f32_bytes(&[1.0, 2.0]), ..stored("w", 1, &[1, 2]) };
        let typed = Stored { float_data: vec![3.0], ..stored("", 1, &[]) };
        let half = Stored { int32_data: vec![0x3c00, 0xc000], ..stored("h", 10, &[2]) };
        let integers = Stored { int64_data: vec![-1, 7], ..stored("", 7, &[2]) };
        let constant = |output: &str, t: Stored| Operation {
            output: vec![output.to_owned()],
            op_type: "Constant".to_owned(),
            attribute: vec![Attribute { name: "value".to_owned(), t: Some(t), g: None }],
        };
        let inner = Graph { node: vec![constant("inner", integers)], ..Graph::default() };
        let branch = Operation {
            op_type: "If".to_owned(),
            attribute: vec![Attribute { name: "then_branch".to_owned(), t: None, g: Some(inner) }],
            ..Operation::default()
        };
        let pair = Pair { key: "character".to_owned(), value: "a\nb".to_owned() };
        let graph = Graph { node: vec![constant("c", typed), branch], initializer: vec![raw, half], ..Graph::default() };
        Model { graph: Some(graph), metadata_props: vec![pair] }
    }

    #[test]
    fn initialisers_and_constants_of_all_graphs_are_taken() {
        let file = sample().encode_to_vec();
        let tensors = read(&file).unwrap();
        let found = tensors.iter().map(|t| (t.name.as_str(), t.dtype, t.shape.clone(), t.plain_bytes().unwrap().into_owned()));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [
                ("w", Dtype::F32, vec![1, 2], f32_bytes(&[1.0, 2.0])),
                ("h", Dtype::F16, vec![2], vec![0x00, 0x3c, 0x00, 0xc0]),
                ("c", Dtype::F32, vec![], f32_bytes(&[3.0])),
                ("inner", Dtype::I64, vec![2], [(-1i64).to_le_bytes(), 7i64.to_le_bytes()].concat()),
            ]
        );
        assert_eq!(metadata(&file).unwrap(), "{\"character\":\"a\\nb\"}\n");
        // Fields of a message follow each other without a count: a file cut between graph and metadata is a whole one without metadata.
        assert_total(read, &Model { metadata_props: vec![], ..sample() }.encode_to_vec());
    }

    #[test]
    fn what_is_not_read_is_named() {
        let with = |change: fn(&mut Graph)| {
            let mut model = sample();
            change(model.graph.as_mut().unwrap());
            read(&model.encode_to_vec()).unwrap_err().to_string()
        };
        assert!(with(|g| g.initializer[0].data_location = 1).contains("'w' lies in another file"));
        assert!(with(|g| g.initializer[0].data_type = 8).contains("'w': data type 8"));
        assert!(with(|g| g.initializer[0].dims = vec![-1]).contains("its shape is [-1]"));
        assert!(with(|g| g.initializer[0].dims = vec![i64::MAX, i64::MAX]).contains("no tensor has"));
        assert!(with(|g| g.initializer[0].dims = vec![3]).contains("are 12 bytes, and there are 8"));
        assert!(with(|g| g.initializer[1].int32_data[0] = 0x0012_3c00).contains("does not fit F16"));
        assert!(with(|g| g.sparse_initializer.push(Sparse {})).contains("sparse"));
        assert!(read(b"").unwrap_err().to_string().contains("no graph"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_tensors_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
