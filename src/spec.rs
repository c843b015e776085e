//! Kernel specifications: `kernel` or `kernel:key=value,key=value`, as people write them and as reports print them.

use serde_json::{Map, Value};

use crate::error::SpecError;

/// A parameter of a kernel, for people: `weighbridge kernels show` prints these.
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
            return Err(SpecError::BadValue { kernel: name.to_owned(), message: format!("parameter '{key}' is given twice") });
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
