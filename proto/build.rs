//! Generates the wire types with protox, so that no `protoc` is needed.

use std::{env, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["sweep/v1/session.proto", "sweep/v1/trial.proto", "sweep/v1/artifacts.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .out_dir(out)
        .compile_fds_with_config(descriptors, tonic_prost_build::Config::new())?;
    Ok(())
}
