use crate::case::{Case, device, entries};
use burn::module::Module;
use burn::tensor::Tensor;
use libtest_mimic::Failed;
use pretext_stages::nn::Init;
use pretext_stages::nn::encoder::{Architecture, Library};
use pretext_stages::nn::layers::{Linear, Mode};
use pretext_stages::nn::ops::{self, ConvSpec, NormSpec, NormTensors};
use pretext_stages::nn::resnet::{ResNet, ResNetClassifier, ResNetSpec, Stem};
use pretext_stages::nn::state::Part;

/// Float32 sums of some hundred terms in another order than PyTorch's.
const VALUES: f64 = 1e-5;
const GRADIENTS: f64 = 1e-4;

/// The upstream gradient of every layer's case: from -1 to 1 over the output's entries.
fn weighted_sum<const D: usize>(y: Tensor<D>) -> Tensor<1> {
    let (shape, count) = (y.dims(), y.shape().num_elements());
    let weights: Vec<f32> = (0..count).map(|i| (-1.0 + 2.0 * i as f64 / (count - 1) as f64) as f32).collect();
    let weights = Tensor::<D>::from_data(burn::tensor::TensorData::new(weights, shape), &y.device().inner());
    (y * weights).sum()
}

pub fn conv2d(case: &Case) -> Result<(), Failed> {
    for channels_last in [false, true] {
        let device = device().autodiff();
        let [mut x, mut w] = ["in.x", "in.w"].map(|name| case.tensor::<4>(name, &device));
        if channels_last {
            (x, w) = (ops::channels_last(x), ops::channels_last(w));
        }
        let (x, w) = (x.require_grad(), w.require_grad());
        let (stride, groups) = (case.param("stride") as usize, case.param("groups") as usize);
        let spec = ConvSpec { stride, padding: 1, groups, ..ConvSpec::default() };
        let y = ops::conv2d(x.clone(), w.clone(), None, spec);
        case.expect("out.y", &entries(y.clone().inner()), VALUES)?;
        let grads = weighted_sum(y).backward();
        case.expect("grad.x", &entries(x.grad(&grads).expect("a gradient of x")), GRADIENTS)?;
        case.expect("grad.w", &entries(w.grad(&grads).expect("a gradient of w")), GRADIENTS)?;
    }
    Ok(())
}

pub fn batch_norm(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let channels = case.shape("in.x")[1];
    let x = case.tensor::<4>("in.x", &device).require_grad();
    let norm = NormTensors {
        weight: Tensor::ones([channels], &device).require_grad(),
        bias: Tensor::zeros([channels], &device).require_grad(),
        running_mean: Tensor::zeros([channels], &device),
        running_var: Tensor::ones([channels], &device),
    };
    let spec = NormSpec { train: true, relu: false, momentum: 0.1, eps: 1e-5 };
    let y = ops::batch_norm(x.clone(), None, norm.clone(), spec);
    case.expect("out.y", &entries(y.clone().inner()), VALUES)?;
    case.expect("out.running_mean", &entries(norm.running_mean.inner()), VALUES)?;
    case.expect("out.running_var", &entries(norm.running_var.inner()), VALUES)?;
    let grads = weighted_sum(y).backward();
    case.expect("grad.x", &entries(x.grad(&grads).expect("a gradient of x")), GRADIENTS)?;
    case.expect("grad.weight", &entries(norm.weight.grad(&grads).expect("a gradient of weight")), GRADIENTS)?;
    case.expect("grad.bias", &entries(norm.bias.grad(&grads).expect("a gradient of bias")), GRADIENTS)
}

/// Logits of a whole network whose weights follow a formula. It is deep and its weights are large.
const LOGITS: f64 = 1e-3;

pub fn resnet(case: &Case) -> Result<(), Failed> {
    let device = device();
    let mut init = Init::new(0, &device);
    let (blocks, bottleneck) = match case.name.as_str() {
        "arch_resnet18" => (vec![2, 2, 2, 2], false),
        "arch_resnet50" => (vec![3, 4, 6, 3], true),
        other => return Err(format!("no network for {other}").into()),
    };
    let resnet = ResNet::new(&mut init, 3, &ResNetSpec { width: 64, blocks, bottleneck, stem: Stem::ImageNet });
    let fc = Linear::new(&mut init, resnet.features(), 10);
    let network = ResNetClassifier { resnet, fc }.valid();
    let keys: Vec<(String, Vec<usize>)> =
        serde_json::from_value(case.json("keys").clone()).map_err(|e| e.to_string())?;
    for mut entry in network.entries() {
        let parts: Vec<&str> = entry.name.split('.').collect();
        let name = match parts[..] {
            ["resnet", ref ours @ ..] => network.resnet.name_in(Library::Torchvision, ours).expect("it has ResNets"),
            _ => entry.name.clone(),
        };
        let number =
            keys.iter().position(|(key, _)| *key == name).ok_or_else(|| format!("torchvision has no {name}"))?;
        let values = tch::Tensor::from_slice(&fill(number, &keys[number])).reshape(entry.tensor.size());
        tch::no_grad(|| entry.tensor.copy_(&values));
    }
    let logits = network.forward(ops::channels_last(case.tensor::<4>("in.x", &device)), Mode::Eval);
    case.expect("out.logits", &entries(logits), LOGITS)
}

/// The case's rule: `sin(0.37 j + i)`, scaled by the tensor's role.
fn fill(number: usize, (name, shape): &(String, Vec<usize>)) -> Vec<f32> {
    let wave = |j: usize| (j as f64 * 0.37 + number as f64).sin();
    let scale = (2.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
    (0..shape.iter().product())
        .map(|j| {
            let v = wave(j);
            (if shape.len() > 1 {
                v * scale
            } else if name.contains("weight") || name.contains("var") {
                1.0 + 0.1 * v
            } else {
                0.1 * v
            }) as f32
        })
        .collect()
}
