//! The machine a run was made on: enough to say whether two times may be put side by side.

use serde::{Deserialize, Serialize};
use weighbridge::simd::Level;

/// A machine and the toolchain that built the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Machine {
    /// Processor model.
    pub cpu: String,
    /// Processors available to this process.
    pub cores: usize,
    /// Memory in bytes, where the system tells.
    pub memory_bytes: Option<u64>,
    /// SIMD level used.
    pub simd: String,
    /// Operating system and architecture.
    pub os: String,
    /// Compiler, target and profile.
    pub toolchain: String,
}

impl Machine {
    /// This machine.
    pub fn current() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let field = |text: &str, key: &str| {
            let line = text.lines().find(|l| l.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = field(&meminfo, "MemTotal").and_then(|m| m.trim_end_matches("kB").trim().parse::<u64>().ok());
        let [rustc, target, profile] = [env!("WEIGHBRIDGE_RUSTC"), env!("WEIGHBRIDGE_TARGET"), env!("WEIGHBRIDGE_PROFILE")];
        Self {
            cpu: field(&cpuinfo, "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory.map(|kib| kib * 1024),
            simd: Level::current().name().to_owned(),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            toolchain: format!("{rustc}, {target}, {profile}"),
        }
    }

    /// Short hash of what makes times comparable: processor, cores, SIMD level, system and toolchain.
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest, Sha256};
        let text = format!("{}|{}|{}|{}|{}", self.cpu, self.cores, self.simd, self.os, self.toolchain);
        Sha256::digest(text)[..6].iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} cores", self.cpu, self.cores)?;
        if let Some(bytes) = self.memory_bytes {
            write!(f, ", {}", bytesize::ByteSize(bytes))?;
        }
        write!(f, ", {}, {}, {}", self.simd, self.os, self.toolchain)
    }
}
