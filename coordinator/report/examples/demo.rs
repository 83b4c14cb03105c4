//! Writes the report of a made-up sweep to the folder given: `cargo run -p report --example demo -- DIR`.

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: demo FOLDER")?;
    std::fs::create_dir_all(&folder)?;
    let built = report::build(&sample::input(&sample::Shape::usual()), Path::new(&folder))?;
    for row in built.short_table {
        println!("{}", row.join("  "));
    }
    Ok(())
}
