//! Records the toolchain and target, so that measurements can name what built them.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output().ok().and_then(|o| String::from_utf8(o.stdout).ok());
    println!("cargo::rustc-env=WEIGHBRIDGE_RUSTC={}", version.unwrap_or_default().trim());
    println!("cargo::rustc-env=WEIGHBRIDGE_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    println!("cargo::rustc-env=WEIGHBRIDGE_PROFILE={}", std::env::var("PROFILE").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
}
