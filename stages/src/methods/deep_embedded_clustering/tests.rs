use super::*;
use crate::nn::state;
use burn::tensor::{Device, TensorData};
use std::collections::BTreeMap;

/// Made by `generate.py` beside it, with PyTorch.
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dec/expected.safetensors");

fn device() -> Device {
    crate::nn::device("cpu").unwrap()
}

struct Expected(BTreeMap<String, tch::Tensor>);

impl Expected {
    fn read() -> Self {
        Self(state::load(EXPECTED.as_ref()).unwrap())
    }

    fn values(&self, name: &str) -> Vec<f32> {
        Vec::try_from(&self.0[name].flatten(0, -1)).unwrap()
    }

    fn rows(&self, name: &str, count: usize, device: &Device) -> Tensor<2> {
        let (values, width) = (self.values(name), self.0[name].size()[1] as usize);
        Tensor::from_data(TensorData::new(values[..count * width].to_vec(), [count, width]), device)
    }

    fn assert_near<const D: usize>(&self, name: &str, found: &Tensor<D>) {
        let found = ops::read(found, <[f32]>::to_vec);
        let expected = self.values(name);
        assert_eq!(found.len(), expected.len(), "{name}");
        let off = found.iter().zip(&expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
        assert!(off < 1e-6, "{name}: {off}");
    }
}

#[test]
fn loss_and_gradients_are_pytorchs() {
    let expected = Expected::read();
    let tracked = device().autodiff();
    let codes = expected.rows("codes", 5, &tracked).require_grad();
    let prototypes = Prototypes::at(expected.rows("centres", 4, &tracked));
    let p = Tensor::from_inner(expected.rows("p", 5, &device()));
    let loss = divergence(p, log_assignment(&prototypes, codes.clone()));
    expected.assert_near("loss", &loss);
    let mut gradients = loss.backward();
    expected.assert_near("codes_gradient", &codes.grad(&gradients).unwrap());
    let of_centres = prototypes.take_gradients(&mut gradients).swap_remove(0).unwrap();
    let of_centres = Vec::<f32>::try_from(&of_centres.flatten(0, -1)).unwrap();
    expected.assert_near("centres_gradient", &Tensor::<1>::from_floats(of_centres.as_slice(), &device()));
}

/// Eqs. 1 and 3 as they are written, one number after the other.
#[test]
fn targets_are_those_of_the_paper() {
    let expected = Expected::read();
    let (codes, centres) = (expected.values("codes"), expected.values("centres"));
    let near = |code: &[f32], centre: &[f32]| {
        let far: f64 = code.iter().zip(centre).map(|(z, mu)| (f64::from(*z) - f64::from(*mu)).powi(2)).sum();
        1.0 / (1.0 + far)
    };
    let q: Vec<Vec<f64>> = codes
        .chunks(3)
        .map(|code| {
            let near: Vec<f64> = centres.chunks(3).map(|centre| near(code, centre)).collect();
            near.iter().map(|each| each / near.iter().sum::<f64>()).collect()
        })
        .collect();
    let frequency: Vec<f64> = (0..4).map(|cluster| q.iter().map(|q| q[cluster]).sum()).collect();
    let p = q.iter().flat_map(|q| {
        let weight: Vec<f64> = q.iter().zip(&frequency).map(|(q, f)| q * q / f).collect();
        let sum: f64 = weight.iter().sum();
        weight.into_iter().map(move |weight| weight / sum)
    });
    let prototypes = Prototypes::at(expected.rows("centres", 4, &device()));
    let found_q = log_assignment(&prototypes, expected.rows("codes", 7, &device())).exp();
    expected.assert_near("q", &found_q);
    let found_p = target_distribution(found_q);
    expected.assert_near("p", &found_p);
    let found_p = ops::read(&found_p, <[f32]>::to_vec);
    let off = found_p.iter().zip(p).map(|(found, p)| (f64::from(*found) - p).abs()).fold(0.0, f64::max);
    assert!(off < 1e-6, "{off}");
}

/// An image that is at a centre belongs to it entirely where the others are far; no share of it is no number.
#[test]
fn what_lies_at_a_centre_has_a_finite_loss() {
    let at = |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [2, 1]), &device().autodiff());
    let prototypes = Prototypes::at(at(&[0.0, 1e18]));
    let codes = at(&[0.0, 1e18]).require_grad();
    let log_q = log_assignment(&prototypes, codes.clone());
    let p = target_distribution(log_q.clone().exp()).detach();
    let loss = divergence(p, log_q);
    let gradient = codes.grad(&loss.clone().backward()).unwrap();
    assert_eq!(loss.into_scalar::<f32>(), 0.0);
    assert_eq!(ops::read(&gradient, <[f32]>::to_vec), [0.0; 2]);
}

#[test]
fn the_nearest_to_a_centre_come_first() {
    let distances = [3.0, 0.1, 1.0, 0.4, 2.0, 0.3];
    assert_eq!(nearest(&distances, 2, 0, 2), [1, 2]);
    assert_eq!(nearest(&distances, 2, 1, 5), [0, 2, 1]);
}
