//! A trial's best weights as a safetensors file, for NumPy, PyTorch and everybody else.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use trainer::LayerWeights;

use crate::verbs::export::new_file;

/// Writes `layers.0.weight`, `[in][out]`, and `layers.0.bias`, `[out]`, from the input side on, as
/// little-endian f32. The file must not exist yet.
pub fn save(
    path: &Path,
    layers: &[LayerWeights],
    about: HashMap<String, String>,
) -> anyhow::Result<()> {
    let bytes = |numbers: &[f32]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    };
    let arrays: Vec<(String, Vec<usize>, Vec<u8>)> = (0..)
        .zip(layers)
        .flat_map(|(index, layer)| {
            let (weights, bias) = (bytes(&layer.weights), bytes(&layer.bias));
            [
                (format!("layers.{index}.weight"), vec![layer.n_in, layer.n_out], weights),
                (format!("layers.{index}.bias"), vec![layer.n_out], bias),
            ]
        })
        .collect();
    let tensors = arrays
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
    let tensors = tensors.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    let file = safetensors::serialize(tensors, Some(about))?;
    new_file(path, |into| Ok(into.write_all(&file)?))
}
