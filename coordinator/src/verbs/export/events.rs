//! TensorBoard's event files: protobuf messages in TFRecord frames.
//!
//! Messages, with the fields we write, are those of tensorboard/compat/proto/{event,summary,tensor}.proto
//! and tensorboard/plugins/hparams/{api,plugin_data}.proto; a frame is a length, its masked CRC-32C, the
//! bytes, their masked CRC-32C (tensorflow/core/lib/io/record_writer.h).

use std::collections::BTreeMap;
use std::io::{self, Write};

use prost::Message;
use prost_types::value::Kind;
use prost_types::{ListValue, Value};

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    pub what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SummaryValue {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(float, optional, tag = "2")]
    pub simple_value: Option<f32>,
    #[prost(message, optional, tag = "8")]
    pub tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<SummaryMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SummaryMetadata {
    #[prost(message, optional, tag = "1")]
    pub plugin_data: Option<PluginData>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PluginData {
    #[prost(string, tag = "1")]
    pub plugin_name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub content: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShape>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TensorShape {
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<TensorDim>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct TensorDim {
    #[prost(int64, tag = "1")]
    pub size: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct HparamsData {
    #[prost(oneof = "Hparams", tags = "2, 3, 4")]
    pub data: Option<Hparams>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Hparams {
    #[prost(message, tag = "2")]
    Experiment(Experiment),
    #[prost(message, tag = "3")]
    Start(SessionStart),
    #[prost(message, tag = "4")]
    End(SessionEnd),
}

/// What the columns of the table of hyperparameters are.
#[derive(Clone, PartialEq, Message)]
pub struct Experiment {
    #[prost(string, tag = "1")]
    pub description: String,
    #[prost(message, repeated, tag = "4")]
    pub hparam_infos: Vec<HparamInfo>,
    #[prost(message, repeated, tag = "5")]
    pub metric_infos: Vec<MetricInfo>,
    #[prost(string, tag = "6")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct HparamInfo {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(enumeration = "HparamType", tag = "4")]
    pub kind: i32,
    #[prost(message, optional, tag = "5")]
    pub domain_discrete: Option<ListValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum HparamType {
    Unset = 0,
    String = 1,
    Float64 = 3,
}

#[derive(Clone, PartialEq, Message)]
pub struct MetricInfo {
    #[prost(message, optional, tag = "1")]
    pub name: Option<MetricName>,
    #[prost(string, tag = "3")]
    pub display_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct MetricName {
    #[prost(string, tag = "2")]
    pub tag: String,
}

/// A run's row in that table; rows of one group are shown as their mean.
#[derive(Clone, PartialEq, Message)]
pub struct SessionStart {
    #[prost(btree_map = "string, message", tag = "1")]
    pub hparams: BTreeMap<String, Value>,
    #[prost(string, tag = "4")]
    pub group_name: String,
    #[prost(double, tag = "5")]
    pub start_time_secs: f64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct SessionEnd {
    #[prost(enumeration = "SessionStatus", tag = "1")]
    pub status: i32,
    #[prost(double, tag = "2")]
    pub end_time_secs: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum SessionStatus {
    Unknown = 0,
    Success = 1,
    Failure = 2,
}

/// One event file.
pub struct EventWriter<W> {
    out: W,
}

impl<W: Write> EventWriter<W> {
    pub fn new(out: W) -> io::Result<Self> {
        let mut writer = Self { out };
        writer.event(0.0, 0, What::FileVersion("brain.Event:2".into()))?;
        Ok(writer)
    }

    /// Numbers of one step; `wall_s` counts from the trial's start.
    pub fn scalars(
        &mut self,
        wall_s: f64,
        step: u32,
        scalars: &[(&str, Option<f64>)],
    ) -> io::Result<()> {
        let value = |&(tag, value): &(&str, Option<f64>)| SummaryValue {
            tag: tag.into(),
            simple_value: value.map(|value| value as f32),
            ..SummaryValue::default()
        };
        let present = scalars.iter().filter(|(_, value)| value.is_some());
        let summary = Summary { value: present.map(value).collect() };
        self.event(wall_s, step.into(), What::Summary(summary))
    }

    pub fn hparams(&mut self, wall_s: f64, data: Hparams) -> io::Result<()> {
        let tag = match data {
            Hparams::Experiment(_) => "_hparams_/experiment",
            Hparams::Start(_) => "_hparams_/session_start_info",
            Hparams::End(_) => "_hparams_/session_end_info",
        };
        let content = HparamsData { data: Some(data) }.encode_to_vec();
        let plugin_data = Some(PluginData { plugin_name: "hparams".into(), content });
        let value = SummaryValue {
            tag: tag.into(),
            // The plugin reads the metadata alone, but a value must have one.
            tensor: Some(empty_tensor()),
            metadata: Some(SummaryMetadata { plugin_data }),
            simple_value: None,
        };
        self.event(wall_s, 0, What::Summary(Summary { value: vec![value] }))
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn event(&mut self, wall_time: f64, step: i64, what: What) -> io::Result<()> {
        let bytes = Event { wall_time, step, what: Some(what) }.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        self.out.write_all(&length)?;
        self.out.write_all(&masked_crc32c(&length).to_le_bytes())?;
        self.out.write_all(&bytes)?;
        self.out.write_all(&masked_crc32c(&bytes).to_le_bytes())
    }
}

/// Of floats, with none in it.
fn empty_tensor() -> Tensor {
    const FLOAT: i32 = 1;
    Tensor { dtype: FLOAT, shape: Some(TensorShape { dim: vec![TensorDim { size: 0 }] }) }
}

/// A CRC of bytes that hold CRCs themselves is turned and shifted, as TFRecord does.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

pub fn number(x: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(x)) }
}

pub fn text(text: String) -> Value {
    Value { kind: Some(Kind::StringValue(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The record of TensorFlow's own writer for an event with this file version and no time.
    #[test]
    fn a_frame_is_length_checksum_bytes_checksum() {
        let mut bytes = Vec::new();
        EventWriter::new(&mut bytes).unwrap().finish().unwrap();
        let event = b"\x1a\x0dbrain.Event:2";
        assert_eq!(bytes[..8], (event.len() as u64).to_le_bytes());
        assert_eq!(&bytes[12..12 + event.len()], event);
        assert_eq!(bytes.len(), 16 + event.len());
        // CRC-32C of 32 zero bytes is 0x8a9136aa (RFC 3720, B.4).
        let masked = 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked_crc32c(&[0; 32]), masked);
    }
}
