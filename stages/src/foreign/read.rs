use super::normal_of;
use anyhow::{Context, Result, bail, ensure};
use pytorch_reader::{DType, PytorchReader};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Kind, Tensor};

/// By their names.
pub type Tensors = BTreeMap<String, Tensor>;

/// The tensors of a file by their names, numbers that are no integers as float32: safetensors, or what `torch.save` wrote in one of its
/// formats (zip, and the pickles before it). Of a pickle nothing is executed: it is read as data.
pub fn read(path: &Path) -> Result<Tensors> {
    Ok(read_with_normal(path)?.0)
}

/// The same, with mean and standard deviation of each channel that images are normalised by, where the file says them.
pub fn read_with_normal(path: &Path) -> Result<(Tensors, Option<[Vec<f32>; 2]>)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let normal = normal_of(&bytes);
    let tensors = if is_safetensors(&bytes) { of_safetensors(&bytes) } else { of_pytorch(bytes) };
    let tensors = tensors.with_context(|| {
        format!("{} holds no weights that can be read: expected safetensors, or what torch.save wrote", path.display())
    })?;
    ensure!(
        !tensors.is_empty(),
        "{} holds no tensors: expected a state_dict, as `torch.save(model.state_dict(), file)` writes",
        path.display()
    );
    Ok((tensors, normal))
}

/// Eight bytes say how long the JSON is that follows.
fn is_safetensors(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length < bytes.len() as u64) && bytes.get(8) == Some(&b'{')
}

pub fn of_safetensors(bytes: &[u8]) -> Result<Tensors> {
    let file = SafeTensors::deserialize(bytes)?;
    let tensor = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let kind = match view.dtype() {
            Dtype::F64 => Kind::Double,
            Dtype::F32 => Kind::Float,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::I64 => Kind::Int64,
            Dtype::I32 => Kind::Int,
            Dtype::U8 => Kind::Uint8,
            other => bail!("{name} is {other:?}: expected floats or integers"),
        };
        Ok((name.to_owned(), of_bytes(view.data(), view.shape(), kind)))
    };
    file.iter().map(tensor).collect()
}

fn of_pytorch(bytes: Vec<u8>) -> Result<Tensors> {
    let tensor = |(name, tensor): (String, pytorch_reader::Tensor)| {
        let kind = match tensor.dtype() {
            DType::F64 => Kind::Double,
            DType::F32 => Kind::Float,
            DType::F16 => Kind::Half,
            DType::BF16 => Kind::BFloat16,
            DType::I64 => Kind::Int64,
            DType::I32 => Kind::Int,
            DType::U8 => Kind::Uint8,
            other => bail!("{name} is {other:?}: expected floats or integers"),
        };
        Ok((name, of_bytes(&tensor.read()?, tensor.shape(), kind)))
    };
    PytorchReader::from_bytes(bytes, None)?.into_tensors().into_iter().map(tensor).collect()
}

fn of_bytes(bytes: &[u8], shape: &[usize], kind: Kind) -> Tensor {
    let shape: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    let tensor = Tensor::from_data_size(bytes, &shape, kind);
    match kind {
        Kind::Double | Kind::Half | Kind::BFloat16 => tensor.to_kind(Kind::Float),
        _ => tensor,
    }
}
