use super::operation::{Operation, apply};
use super::staging::integers_on;
use burn::tensor::{Device, Tensor};
use burn_tch::TchTensor;

/// Numbers of rows, each once at most, on a device.
#[derive(Debug, Clone)]
pub struct RowNumbers(TchTensor);

impl RowNumbers {
    pub fn new(numbers: &[i32], device: &Device) -> Self {
        Self(TchTensor::new(integers_on(numbers, device)))
    }
}

/// Rows of `x`, `[rows, ...]`. Burn's `select` adds up gradients row by row, which takes longer than a convolution.
pub fn take_rows<const D: usize>(x: Tensor<D>, numbers: &RowNumbers) -> Tensor<D> {
    let rows = x.dims()[0] as i64;
    apply(Rows { numbers: numbers.clone(), rows, are_taken: true }, [Some(x.into())])
}

/// The way back: of `rows` rows those that are named are the rows of `x`, in its order, and all others are 0.
pub fn put_rows<const D: usize>(x: Tensor<D>, numbers: &RowNumbers, rows: usize) -> Tensor<D> {
    apply(Rows { numbers: numbers.clone(), rows: rows as i64, are_taken: false }, [Some(x.into())])
}

/// Each is the other's derivative.
#[derive(Debug, Clone)]
struct Rows {
    numbers: RowNumbers,
    rows: i64,
    are_taken: bool,
}

impl Rows {
    fn take(&self, x: &TchTensor) -> TchTensor {
        TchTensor::new(x.tensor.index_select(0, &self.numbers.0.tensor))
    }

    fn put(&self, x: &TchTensor) -> TchTensor {
        let mut size = x.tensor.size();
        size[0] = self.rows;
        let mut all = x.tensor.new_zeros(size, (x.tensor.kind(), x.tensor.device()));
        let _ = all.index_copy_(0, &self.numbers.0.tensor, &x.tensor);
        TchTensor::new(all)
    }
}

impl Operation<1> for Rows {
    type Saved = ();

    fn forward(&self, [x]: [Option<TchTensor>; 1]) -> (TchTensor, ()) {
        let x = x.expect("there are rows");
        (if self.are_taken { self.take(&x) } else { self.put(&x) }, ())
    }

    fn backward(&self, grad: TchTensor, (): (), _: [bool; 1]) -> [Option<TchTensor>; 1] {
        [Some(if self.are_taken { self.put(&grad) } else { self.take(&grad) })]
    }
}
