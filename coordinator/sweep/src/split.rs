//! The split: which rows of the training file train and which validate.

use trial::Split;
use trial::wording::{grouped, n_of};

use crate::file::problem::{Problem, Problems, Spanned};
use crate::file::spec::SweepFile;

/// Rows of the training file that validate when the file says nothing: a fifth, but no more than
/// this many.
pub const MAX_DEFAULT_N_VALID: u32 = 10_000;

/// Rows that validate where the file leaves `train` and `valid` out.
pub fn default_n_valid(n_rows: u32) -> u32 {
    (n_rows / 5).clamp(1, MAX_DEFAULT_N_VALID)
}

/// `default_n_valid` rows validate where the file says nothing.
pub(crate) fn split(
    file: &SweepFile,
    n_rows: u32,
    default_n_valid: u32,
    problems: &mut Problems,
) -> Option<Split> {
    let written = |n: &Option<Spanned<u32>>| n.as_ref().map(|n| n.value);
    let (n_train, n_valid) = match (written(&file.n_train), written(&file.n_valid)) {
        (Some(n_train), Some(n_valid)) => (n_train, n_valid),
        (Some(n_train), None) => (n_train, n_rows.saturating_sub(n_train)),
        (None, n_valid) => {
            let n_valid = n_valid.unwrap_or(default_n_valid);
            (n_rows.saturating_sub(n_valid), n_valid)
        }
    };
    let fits = n_train.checked_add(n_valid).is_some_and(|sum| sum <= n_rows);
    if n_train > 0 && n_valid > 0 && fits {
        return Some(Split { n_train, n_valid, scale: file.scale });
    }
    let written = file.n_valid.as_ref().or(file.n_train.as_ref());
    let span = written.map_or(&file.dataset_span, |n| &n.span).clone();
    let label = match written {
        None => format!("its training file has {}", n_of(n_rows, "row")),
        Some(_) => {
            let [n_train, n_valid] = [n_train, n_valid].map(|n| grouped(n.into()));
            format!("{n_train} to train and {n_valid} to validate, of {}", n_of(n_rows, "row"))
        }
    };
    let message = match written {
        None => "the data set is too small to train and to validate",
        Some(_) => "the split does not fit the training file",
    };
    let problem = Problem::at(span, message, label);
    problems.push(problem.help("at least one row must train and one must validate"));
    None
}
