//! Values of flags: each is read here, and what cannot be read gets a sentence that says what was
//! expected.

use std::net::SocketAddr;
use std::str::FromStr;

use clap::builder::PossibleValuesParser;
use trainer::OptimizerKind;

pub fn optimizer_names() -> PossibleValuesParser {
    OptimizerKind::ALL.map(OptimizerKind::name).into()
}

/// A count of a type that has no zero.
pub fn parse_count<N: FromStr>(text: &str) -> Result<N, String> {
    whole(text, "expected a whole number, 1 or more")
}

/// Where none is an answer too, or what a network refuses in its own words.
pub fn parse_count_or_none<N: FromStr>(text: &str) -> Result<N, String> {
    whole(text, "expected a whole number, 0 or more")
}

pub fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite());
    rate.ok_or_else(|| "expected a number, such as 0.05".to_owned())
}

pub fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1, such as 0.05".to_owned())
}

pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an IP address and a port, such as 127.0.0.1:7070, 0.0.0.0:7070 or [::1]:7070"
            .to_owned()
    })
}

fn whole<N: FromStr>(text: &str, expected: &str) -> Result<N, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_large = is_number && text.bytes().any(|byte| byte != b'0');
    text.parse().map_err(|_| if is_large { too_large(text) } else { expected.to_owned() })
}

fn too_large(text: &str) -> String {
    format!("{text} is too large")
}
