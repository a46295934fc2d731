use super::raw::{from_raw, raw};
use burn::tensor::Tensor;
use tch::{Device, Kind, Tensor as Tensor64};

/// The eigenvalues of a symmetric matrix `[n, n]`, the smallest first, and their vectors as the columns of `[n, n]`.
///
/// It is computed on the processor in float64, wherever the matrix lies: a CUDA libtorch loads a library of its own for it.
pub fn symmetric_eigen(matrix: &Tensor<2>) -> (Vec<f32>, Tensor<2>) {
    let matrix = raw(matrix);
    let (values, vectors) = matrix.to_device(Device::Cpu).to_kind(Kind::Double).linalg_eigh("L");
    let values = Vec::try_from(&values.to_kind(Kind::Float)).expect("a flat tensor of floats");
    (values, from_raw(vectors.to_kind(Kind::Float).contiguous().to_device(matrix.device())))
}

/// The trace of the root of the product of two symmetric matrices `[n, n]` without negative eigenvalues, row by row.
pub fn trace_of_root_of_product(a: &[f64], b: &[f64]) -> f64 {
    let side = (a.len() as f64).sqrt() as i64;
    let [a, b] = [a, b].map(|values| Tensor64::from_slice(values).reshape([side, side]));
    // The product has the eigenvalues of a symmetric matrix: those of sqrt(a) b sqrt(a).
    let (values, vectors) = a.linalg_eigh("L");
    let root = (&vectors * values.clamp_min(0.0).sqrt()).matmul(&vectors.tr());
    let (values, _) = root.matmul(&b).matmul(&root).linalg_eigh("L");
    values.clamp_min(0.0).sqrt().sum(Kind::Double).double_value(&[])
}

/// An orthonormal basis `[n, m]` of what the columns of a matrix `[n, m]` span, where n is at least m.
pub fn orthonormal(matrix: &Tensor<2>) -> Tensor<2> {
    let matrix = raw(matrix);
    let (q, _) = tch::Tensor::linalg_qr(&matrix.to_device(Device::Cpu).to_kind(Kind::Double), "reduced");
    from_raw(q.to_kind(Kind::Float).contiguous().to_device(matrix.device()))
}
