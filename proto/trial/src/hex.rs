//! Hex: bytes as hexadecimal digits and back, for names of files, for tables and for people.

use std::fmt::Write as _;

/// Two lowercase digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of exactly as many digits, lowercase or uppercase; `None` of anything else.
pub fn from_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| u8::try_from(16 * digit(pair[0])? + digit(pair[1])?).ok();
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<u8>>>()?;
    if rest.is_empty() { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_back_as_the_bytes_that_they_were() {
        let all: [u8; 256] = std::array::from_fn(|byte| byte as u8);
        let digits = hex(&all);
        assert!(digits.starts_with("000102") && digits.ends_with("fdfeff"), "{digits}");
        assert_eq!(from_hex(&digits), Some(all));
        assert_eq!(from_hex(&digits.to_uppercase()), Some(all));
        assert_eq!(from_hex(&hex(&[])), Some([]));
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "a", "abc", "abcde", "0xab", "+1-1", "ab c", "ab\u{e9}", "\u{ff11}a"] {
            assert_eq!(from_hex::<2>(text), None, "{text}");
        }
        assert_eq!(from_hex::<2>("aBcD"), Some([0xab, 0xcd]));
    }
}
