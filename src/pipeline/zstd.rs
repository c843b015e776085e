//! One zstd frame (RFC 8878) with its content size and checksum.

use serde::{Deserialize, Serialize};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name, get_frame_content_size};

use super::stage::{Stage, StageInfo};
use crate::spec::Parameter;

/// Configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Compression level.
    pub level: i32,
}

impl Default for Config {
    /// zstd's own level.
    fn default() -> Self {
        Self { level: 3 }
    }
}

/// The stage.
#[derive(Debug)]
pub struct Zstd(Config);

fn failed(code: usize) -> String {
    format!("zstd: {}", get_error_name(code))
}

impl Stage for Zstd {
    const INFO: StageInfo =
        StageInfo { id: "zstd", summary: "one zstd frame a part, with content size and checksum", source: "Zstandard, RFC 8878" };
    const PARAMETERS: &'static [Parameter] =
        &[Parameter { name: "level", doc: "zstd's level: higher is smaller and slower to encode", values: "1 to 19" }];
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if (1..=19).contains(&config.level) { Ok(Self(config)) } else { Err(format!("level is {}; it must be 1 to 19", config.level)) }
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn pack(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut context = CCtx::try_create().ok_or("zstd: no memory for its context")?;
        for parameter in [CParameter::CompressionLevel(self.0.level), CParameter::ContentSizeFlag(true), CParameter::ChecksumFlag(true)] {
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
