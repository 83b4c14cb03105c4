//! Generates TensorBoard's messages with protox, so that no `protoc` is needed.

const EVENTS: &str = "src/verbs/export/events.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={EVENTS}");
    // Ordered maps, so that equal runs give equal bytes.
    tonic_prost_build::Config::new()
        .btree_map(["."])
        .compile_fds(protox::compile([EVENTS], ["."])?)?;
    Ok(())
}
