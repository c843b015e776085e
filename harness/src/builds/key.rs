//! What makes two builds of one commit the same: the toolchain and the flags.

use std::process::Command;

use sha2::{Digest, Sha256};

/// Variables that change what cargo makes of the same files.
const VARIABLES: [&str; 8] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_PROFILE_RELEASE_LTO",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL",
    "RUSTUP_TOOLCHAIN",
];

/// Short digest of toolchain and flags.
pub fn toolchain_key() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("-vV").output().map(|o| o.stdout).unwrap_or_default();
    let mut digest = Sha256::new();
    digest.update(version);
    for name in VARIABLES {
        digest.update(format!("\n{name}={}", std::env::var(name).unwrap_or_default()));
    }
    hex(&digest.finalize()[..4])
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
