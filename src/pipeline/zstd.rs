//! One zstd frame (RFC 8878) with its content size and checksum.

use serde_json::{Map, Value};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name, get_frame_content_size};

use super::Stage;
use crate::error::SpecError;

/// Default level, zstd's own.
const DEFAULT_LEVEL: i32 = 3;

struct Zstd {
    level: i32,
}

pub fn build(parameters: Map<String, Value>) -> Result<Box<dyn Stage>, SpecError> {
    let kernel = || "zstd".to_owned();
    if let Some(key) = parameters.keys().find(|key| *key != "level") {
        return Err(SpecError::UnknownKey { kernel: kernel(), key: key.clone(), known: "level".to_owned() });
    }
    let Some(value) = parameters.get("level") else { return Ok(Box::new(Zstd { level: DEFAULT_LEVEL })) };
    let level = value.as_i64().and_then(|l| i32::try_from(l).ok()).filter(|l| (1..=19).contains(l));
    let message = || format!("level is {value}; it must be a whole number from 1 to 19");
    let level = level.ok_or_else(|| SpecError::BadValue { kernel: kernel(), message: message() })?;
    Ok(Box::new(Zstd { level }))
}

fn failed(code: usize) -> String {
    format!("zstd: {}", get_error_name(code))
}

impl Stage for Zstd {
    fn spec(&self) -> String {
        if self.level == DEFAULT_LEVEL { "zstd".to_owned() } else { format!("zstd:level={}", self.level) }
    }

    fn pack(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut context = CCtx::try_create().ok_or("zstd: no memory for its context")?;
        for parameter in [CParameter::CompressionLevel(self.level), CParameter::ContentSizeFlag(true), CParameter::ChecksumFlag(true)] {
            context.set_parameter(parameter).map_err(failed)?;
        }
        let mut frame = vec![0; compress_bound(bytes.len())];
        let length = context.compress2(frame.as_mut_slice(), bytes).map_err(failed)?;
        frame.truncate(length);
        Ok(frame)
    }

    fn unpack(&self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, String> {
        let announced = get_frame_content_size(bytes).ok().flatten().ok_or("not a zstd frame with a content size")?;
        let count = usize::try_from(announced).ok().filter(|&c| c <= limit);
        let count = count.ok_or_else(|| format!("announces {announced} bytes, at most {limit} make sense"))?;
        let mut context = DCtx::try_create().ok_or("zstd: no memory for its context")?;
        let mut out = vec![0; count];
        let length = context.decompress(out.as_mut_slice(), bytes).map_err(failed)?;
        if length == count { Ok(out) } else { Err("content is shorter than announced".to_owned()) }
    }
}
