use super::raw::{from_raw, raw};
use burn::tensor::{Device, Tensor};

/// Memory of libtorch's in which images are made before they are a tensor, so that making one copies nothing on a
/// processor.
#[derive(Debug)]
pub struct Staging {
    /// `[batch, height, width, 3]`, contiguous.
    pixels: tch::Tensor,
}

impl Staging {
    /// Room for `batch` images; what it holds then is not specified.
    pub fn new(batch: usize, height: usize, width: usize) -> Self {
        let shape = [batch, height, width, 3].map(|n| n as i64);
        Self { pixels: tch::Tensor::empty(shape, (tch::Kind::Float, tch::Device::Cpu)) }
    }

    /// `[batch, height, width, 3]`
    pub fn values(&mut self) -> &mut [f32] {
        // Safety: the tensor is contiguous, of this many floats, and nothing else refers to its memory.
        unsafe { std::slice::from_raw_parts_mut(self.pixels.data_ptr().cast(), self.pixels.numel()) }
    }

    /// `[batch, 3, height, width]` on `device`, channels last. A GPU copies from pinned memory while this thread goes on;
    /// libtorch keeps that memory until it has.
    pub fn into_tensor(self, device: &Device) -> Tensor<4> {
        let place = raw(&Tensor::<1>::empty([1], device)).device();
        let pixels = if place.is_cuda() {
            self.pixels.pin_memory(place).to_device_(place, tch::Kind::Float, true, false)
        } else {
            self.pixels
        };
        let images = from_raw(pixels.permute([0, 3, 1, 2]));
        if device.is_autodiff() { Tensor::from_inner(images) } else { images }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_the_memory_it_was_made_in() {
        let device = crate::nn::device("cpu").unwrap();
        for device in [device.clone(), device.autodiff()] {
            let mut staging = Staging::new(2, 4, 5);
            staging.values().iter_mut().enumerate().for_each(|(i, value)| *value = i as f32);
            let memory = staging.values().as_ptr();
            let tensor = staging.into_tensor(&device);
            assert_eq!((tensor.dims(), tensor.is_autodiff()), ([2, 3, 4, 5], device.is_autodiff()));
            assert_eq!(raw(&tensor).data_ptr().cast_const().cast(), memory);
            assert_eq!(tensor.slice([1..2, 2..3, 3..4, 1..2]).into_scalar::<f32>(), (60 + (3 * 5 + 1) * 3 + 2) as f32);
        }
    }
}
