//! From the processor's memory to a device, without waiting for it: a GPU copies from pinned memory when it comes to it, while
//! the thread that asked goes on.

use super::ffi;
use super::raw::{from_raw, raw};
use burn::backend::LibTorch;
use burn::tensor::{Device, Int, Tensor};
use burn_tch::TchTensor;
use std::marker::PhantomData;
use std::ptr::null_mut;
use tch::Kind;
use tch::kind::Element;

/// Memory of libtorch's in which images are made before they are a tensor, so that making one copies nothing on a processor: of numbers, or
/// of bytes, a quarter of as much on their way to a device.
#[derive(Debug)]
pub struct Staging<T> {
    /// `[batch, height, width, channels]`, contiguous.
    pixels: tch::Tensor,
    device: Device,
    of: PhantomData<T>,
}

impl<T: Element> Staging<T> {
    /// Room for images `[batch, height, width, channels]` that `device` is to have; what it holds then is not specified.
    pub fn new(shape: [usize; 4], device: &Device) -> Self {
        let pixels = room(shape.map(|n| n as i64).as_slice(), T::KIND, place(device));
        Self { pixels, device: device.clone(), of: PhantomData }
    }

    /// `[batch, height, width, channels]`
    pub fn values(&mut self) -> &mut [T] {
        // Safety: the tensor is contiguous, of this many elements, and nothing else refers to its memory.
        unsafe { std::slice::from_raw_parts_mut(self.pixels.data_ptr().cast(), self.pixels.numel()) }
    }
}

impl Staging<f32> {
    /// `[batch, channels, height, width]`, channels last.
    pub fn into_tensor(self) -> Tensor<4> {
        let images = from_raw(moved(self.pixels, place(&self.device)).permute([0, 3, 1, 2]));
        if self.device.is_autodiff() { Tensor::from_inner(images) } else { images }
    }
}

impl Staging<u8> {
    /// `[batch, channels, height, width]`, channels last: `(byte / 255 - mean) * scale` of each channel, rounded at every step as on a
    /// processor.
    pub fn into_normalised(self, mean: &[f32], scale: &[f32]) -> Tensor<4> {
        let [mean, scale] = [mean, scale].map(|values| raw(&floats(values, &self.device)));
        let values = moved(self.pixels, place(&self.device)).to_kind(Kind::Float) * f64::from(1.0f32 / 255.0);
        from_raw(((values - mean) * scale).permute([0, 3, 1, 2]))
    }
}

/// Integers, such as labels, on a device.
pub fn integers(values: &[i32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_primitive::<LibTorch>(TchTensor::new(integers_on(values, device)))
}

pub(super) fn integers_on(values: &[i32], device: &Device) -> tch::Tensor {
    let mut staged = room(&[values.len() as i64], Kind::Int64, place(device));
    staged.copy_(&tch::Tensor::from_slice(values));
    moved(staged, place(device))
}

/// Numbers, such as weights of images, on a device.
pub fn floats(values: &[f32], device: &Device) -> Tensor<1> {
    let mut staged = room(&[values.len() as i64], Kind::Float, place(device));
    staged.copy_(&tch::Tensor::from_slice(values));
    from_raw(moved(staged, place(device)))
}

/// Whether what is on a device is a GPU's.
pub fn is_gpu(device: &Device) -> bool {
    place(device).is_cuda()
}

fn place(device: &Device) -> tch::Device {
    raw(&Tensor::<1>::empty([1], device)).device()
}

/// Memory on the processor, from which `place` can copy.
fn room(shape: &[i64], kind: Kind, place: tch::Device) -> tch::Tensor {
    if !place.is_cuda() {
        return tch::Tensor::empty(shape, (kind, tch::Device::Cpu));
    }
    let bytes = shape.iter().product::<i64>() * kind.elt_size_in_bytes() as i64;
    let mut out = null_mut();
    // Safety: the pointer is valid for the call, and the result is owned here.
    ffi::check(unsafe { ffi::pretext_pinned(bytes, &mut out) });
    ffi::own(out).view_dtype(kind).view(shape)
}

fn moved(staged: tch::Tensor, place: tch::Device) -> tch::Tensor {
    if place.is_cuda() { staged.to_device_(place, staged.kind(), true, false) } else { staged }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_the_memory_it_was_made_in() {
        let device = crate::nn::device("cpu").unwrap();
        for device in [device.clone(), device.autodiff()] {
            let mut staging = Staging::new([2, 4, 5, 3], &device);
            staging.values().iter_mut().enumerate().for_each(|(i, value)| *value = i as f32);
            let memory = staging.values().as_ptr();
            let tensor = staging.into_tensor();
            assert_eq!((tensor.dims(), tensor.is_autodiff()), ([2, 3, 4, 5], device.is_autodiff()));
            assert_eq!(raw(&tensor).data_ptr().cast_const().cast(), memory);
            assert_eq!(tensor.slice([1..2, 2..3, 3..4, 1..2]).into_scalar::<f32>(), (60 + (3 * 5 + 1) * 3 + 2) as f32);
        }
    }

    #[test]
    fn integers_are_those_that_were_given() {
        let device = crate::nn::device("cpu").unwrap();
        assert_eq!(floats(&[0.5, -2.0], &device).into_data().iter::<f32>().collect::<Vec<_>>(), [0.5, -2.0]);
        assert_eq!(integers(&[7, 0, -3], &device).into_data().iter::<i64>().collect::<Vec<_>>(), [7, 0, -3]);
    }
}
