//! TensorBoard's event files: protobuf messages (`events.proto`) in TFRecord frames.
//!
//! A frame is a length, its masked CRC-32C, the bytes, their masked CRC-32C
//! (tensorflow/core/lib/io/record_writer.h).

use std::io::{self, Write};

use prost::Message;
use prost_types::Value;
use prost_types::value::Kind;

pub use generated::hparam_info::DataType as HparamType;
pub use generated::hparams_data::Data as Hparams;
pub use generated::metric_info::Name as MetricName;
pub use generated::session_end::Status as SessionStatus;
pub use generated::{Experiment, HparamInfo, MetricInfo, SessionEnd, SessionStart};

use generated::event::What;
use generated::summary::{self, value};
use generated::summary_metadata::PluginData;
use generated::tensor::DataType;
use generated::tensor_shape::Dim;
use generated::{Event, HparamsData, Summary, SummaryMetadata, Tensor, TensorShape};

mod generated {
    tonic::include_proto!("tensorboard");
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
        let value = |&(tag, value): &(&str, Option<f64>)| {
            let value = Some(value::Value::SimpleValue(value? as f32));
            Some(summary::Value { tag: tag.into(), value, metadata: None })
        };
        let summary = Summary { value: scalars.iter().filter_map(value).collect() };
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
        let value = summary::Value {
            tag: tag.into(),
            // The plugin reads the metadata alone, but a value must have one.
            value: Some(value::Value::Tensor(empty_tensor())),
            metadata: Some(SummaryMetadata { plugin_data }),
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

/// A tensor of floats, with none in it.
fn empty_tensor() -> Tensor {
    let shape = TensorShape { dim: vec![Dim { size: 0 }] };
    Tensor { dtype: DataType::Float.into(), shape: Some(shape) }
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
