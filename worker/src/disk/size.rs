//! Sizes as people write and read them.

/// A whole number with its unit: `500MiB`, `4GiB`, `2TiB`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let expected = || "expected a whole number with MiB, GiB or TiB, e.g. 4GiB".to_string();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
    let (number, unit) = text.split_at(unit_at);
    let shift = match unit {
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err(expected()),
    };
    let number: u32 = number.parse().map_err(|_| expected())?;
    u64::from(number).checked_mul(1 << shift).ok_or_else(expected)
}

/// A number of bytes as people read it: `512 bytes`, `52.4 MiB`.
pub(crate) fn size_text(n_bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = n_bytes as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "bytes" { format!("{n_bytes} bytes") } else { format!("{size:.1} {unit}") }
}
