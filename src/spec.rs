//! Kernel specifications: `kernel` or `kernel:key=value,key=value`, as people write them and as reports print them.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::error::{Owner, SpecError};

/// A parameter of a kernel or a stage, for people: `weighbridge kernels show` prints these.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Key, in kebab case.
    pub name: &'static str,
    /// What it does, with its unit.
    pub doc: &'static str,
    /// The values it takes, in words.
    pub values: &'static str,
}

/// Splits a specification into the kernel's name and its parameters; numbers and booleans become such, the rest text.
pub fn parse(spec: &str) -> Result<(&str, Map<String, Value>), SpecError> {
    let malformed = || SpecError::Malformed { spec: spec.to_owned() };
    let (name, parameters) = match spec.split_once(':') {
        Some((name, rest)) => (name, Some(rest)),
        None => (spec, None),
    };
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b)) {
        return Err(malformed());
    }
    let mut map = Map::new();
    for pair in parameters.iter().flat_map(|p| p.split(',')) {
        let (key, value) = pair.split_once('=').filter(|(k, v)| !k.is_empty() && !v.is_empty()).ok_or_else(malformed)?;
        let value = serde_json::from_str::<Value>(value)
            .ok()
            .filter(|v| v.is_number() || v.is_boolean())
            .unwrap_or_else(|| Value::String(value.to_owned()));
        if map.insert(key.to_owned(), value).is_some() {
            return Err(SpecError::Twice { spec: spec.to_owned(), key: key.to_owned() });
        }
    }
    Ok((name, map))
}

/// The shortest specification of a configuration: parameters that equal the default are left out, the others stand in `order`.
pub fn canonical(name: &str, config: &Map<String, Value>, default: &Map<String, Value>, order: &[Parameter]) -> String {
    let mut out = name.to_owned();
    let mut separator = ':';
    for parameter in order {
        let Some(value) = config.get(parameter.name).filter(|v| default.get(parameter.name) != Some(v)) else { continue };
        out.push(separator);
        out.push_str(parameter.name);
        out.push('=');
        match value {
            Value::String(text) => out.push_str(text),
            other => out.push_str(&other.to_string()),
        }
        separator = ',';
    }
    out
}

/// A configuration in its type, after a look at its keys: what serde says of one that is unknown would not name its owner.
pub(crate) fn typed<C: DeserializeOwned>(
    owner: impl Fn() -> Owner,
    parameters: &[Parameter],
    config: Map<String, Value>,
) -> Result<C, SpecError> {
    if let Some(key) = config.keys().find(|key| !parameters.iter().any(|p| p.name == key.as_str())) {
        let known = listed(parameters.iter().map(|p| p.name));
        return Err(SpecError::UnknownKey { owner: owner(), key: key.clone(), known });
    }
    serde_json::from_value(Value::Object(config)).map_err(|e| SpecError::BadValue { owner: owner(), message: e.to_string() })
}

/// A configuration as a JSON object; anything else is a mistake in the `Config` of a kernel or stage and gives an empty one, which tests
/// refuse.
pub(crate) fn to_map<C: Serialize>(config: &C) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Names for an error message, comma-separated.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names = names.collect::<Vec<_>>().join(", ");
    if names.is_empty() { "none".to_owned() } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_are_read() {
        let (name, map) = parse("bitnet:packing=tq1_0,x=3,y=true").unwrap();
        assert_eq!(name, "bitnet");
        assert_eq!(Value::Object(map), serde_json::json!({"packing": "tq1_0", "x": 3, "y": true}));
    }

    #[test]
    fn malformed_specifications_are_refused() {
        for spec in ["", ":", "int4:", "int4:group", "int4:group=", "int4:=3", "INT4", "int4:a=1,", "int4:a=1,a=2"] {
            assert!(parse(spec).is_err(), "{spec}");
        }
    }
}
