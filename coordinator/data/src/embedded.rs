//! The data sets inside this binary.

use trial::Digest;

use super::unpack::unpack;
use crate::error::DatasetError;
use crate::files::{Files, MAX_FILE_BYTES};

/// A file that the build put into the binary.
struct EmbeddedFile {
    gzip: &'static [u8],
    /// SHA-256 of the unpacked bytes, in hex.
    sha256: &'static str,
}

/// In the order of `Role::ALL`.
const MNIST: [EmbeddedFile; 4] = [
    EmbeddedFile {
        gzip: include_bytes!("../mnist/train-images-idx3-ubyte.gz"),
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    EmbeddedFile {
        gzip: include_bytes!("../mnist/train-labels-idx1-ubyte.gz"),
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    EmbeddedFile {
        gzip: include_bytes!("../mnist/t10k-images-idx3-ubyte.gz"),
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    EmbeddedFile {
        gzip: include_bytes!("../mnist/t10k-labels-idx1-ubyte.gz"),
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// Names that a sweep file can give without a path.
const NAMES: [&str; 1] = ["mnist"];

/// The unpacked files of an embedded data set.
///
/// # Errors
/// An unknown name, and files that a changed source tree put in place of the canonical ones.
pub(crate) fn unpack_files(name: &str) -> Result<Files, DatasetError> {
    if !NAMES.contains(&name) {
        let own = "for files of your own write `format = \"idx\"` and `path = \"FOLDER\"`";
        return Err(DatasetError {
            message: format!("no data set is called `{name}`"),
            expected: format!("one of: {}", NAMES.join(", ")),
            help: match NAMES.iter().find(|known| is_meant(name, known)) {
                Some(known) => format!("did you mean \"{known}\"? If not, {own}"),
                None => own.to_string(),
            },
        });
    }
    let mut files = Files::default();
    for (unpacked, file) in files.iter_mut().zip(&MNIST) {
        *unpacked = unpack_file(file)?;
    }
    Ok(files)
}

/// Whether a name is a known one in other letters or with a slip: `MNIST`, `mnits`, `mnist-784`.
fn is_meant(name: &str, known: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphabetic().then(|| c.to_ascii_lowercase());
    let letters = |text: &str| -> Vec<char> { text.chars().filter_map(plain).collect() };
    let sorted = |mut letters: Vec<char>| {
        letters.sort_unstable();
        letters
    };
    sorted(letters(name)) == sorted(letters(known))
}

fn unpack_file(file: &EmbeddedFile) -> Result<Vec<u8>, DatasetError> {
    let damaged = |found: String| DatasetError {
        message: format!("the embedded data set is damaged: {found}"),
        expected: format!("a file with SHA-256 {}", file.sha256),
        help: "build again from an intact copy of coordinator/data/mnist".to_owned(),
    };
    let bytes = unpack(file.gzip, MAX_FILE_BYTES).map_err(|error| damaged(error.to_string()))?;
    let sha256 = Digest::of(&bytes);
    if sha256.to_string() != file.sha256 {
        return Err(damaged(format!("a file has SHA-256 {sha256}")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_digest_is_an_error() {
        let file = EmbeddedFile { gzip: b"plain bytes", sha256: MNIST[0].sha256 };
        let error = unpack_file(&file).expect_err("other bytes");
        assert!(error.message.contains("damaged") && error.expected.contains("ba891046"));
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = unpack_files("cifar10").expect_err("not embedded");
        assert!(error.message.contains("`cifar10`") && error.expected.contains("mnist"));
        assert!(error.help.starts_with("for files of your own write `format = \"idx\""));
    }

    #[test]
    fn a_known_name_in_other_letters_is_meant() {
        for name in ["MNIST", "Mnist", "mnits", "mnist_784"] {
            let error = unpack_files(name).expect_err("not its name");
            assert!(error.help.starts_with("did you mean \"mnist\"? If not, for files"), "{error}");
        }
        assert!(!is_meant("emnist", "mnist") && !is_meant("fashion", "mnist"));
    }
}
