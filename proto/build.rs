//! Generates the wire types with protox, so that no `protoc` is needed, and the shape of each message.

use std::{env, fmt::Write as _, fs, path::PathBuf};

/// `FieldDescriptorProto` types whose values take memory of their own, and the label of repeated fields.
const TYPE_STRING: i32 = 9;
const TYPE_MESSAGE: i32 = 11;
const TYPE_BYTES: i32 = 12;
const LABEL_REPEATED: i32 = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["sweep/v1/session.proto", "sweep/v1/trial.proto", "sweep/v1/artifacts.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::create_dir_all(&out)?;

    let mut shapes = String::new();
    for message in descriptors.file.iter().flat_map(|file| &file.message_type) {
        let mut elements = String::new();
        for field in &message.field {
            let is_repeated = field.label == Some(LABEL_REPEATED);
            let shape = match field.r#type {
                Some(TYPE_MESSAGE) => {
                    let name = field.type_name().trim_start_matches(".sweep.v1.");
                    format!("&<crate::{name} as Shaped>::SHAPE")
                }
                Some(TYPE_STRING | TYPE_BYTES) if is_repeated => "&Shape::LEAF".into(),
                _ => continue,
            };
            write!(elements, "({}, {shape}), ", field.number())?;
        }
        let name = message.name();
        writeln!(
            shapes,
            "impl Shaped for crate::{name} {{\n    const SHAPE: Shape = Shape {{ name: \"{name}\", elements: &[{elements}] }};\n}}"
        )?;
    }
    fs::write(out.join("shapes.rs"), shapes)?;

    tonic_prost_build::configure()
        .codec_path("crate::codec::BoundedCodec")
        .out_dir(out)
        .compile_fds_with_config(descriptors, tonic_prost_build::Config::new())?;
    Ok(())
}
