//! Writes reports of made-up sweeps that are hard to draw, one folder each, to look at their figures:
//! `cargo run -p report --example gallery -- DIR`.

#[path = "../tests/sample/awkward.rs"]
mod awkward;
#[path = "../tests/sample/mod.rs"]
mod sample;

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: gallery FOLDER")?;
    for (name, input) in awkward::sweeps() {
        let folder = Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder)?;
        report::build(&input, &folder)?;
        println!("{}", folder.display());
    }
    Ok(())
}
