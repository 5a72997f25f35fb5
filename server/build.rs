//! Tells the linker to pack the program's relocations, where the C library can read that.

use std::process::Command;

/// Since this version glibc reads packed relocations (`DT_RELR`).
const READS_PACKED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A program built here runs here and on what is newer, as with every symbol of the C library. Unpacked, the list is 1.5 MB
    // that each start reads and that stays in memory.
    if is_native_glibc() && glibc().is_some_and(|version| version >= READS_PACKED) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script is configured by the environment"
)]
fn is_native_glibc() -> bool {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && std::env::var("HOST") == std::env::var("TARGET")
}

/// The version of the C library of this machine, as `getconf` says it: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
