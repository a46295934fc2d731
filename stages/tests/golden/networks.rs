use crate::case::{Case, device, entries};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use libtest_mimic::Failed;
use pretext_stages::nn::Init;
use pretext_stages::nn::encoder::{Architecture, Library};
use pretext_stages::nn::layers::{Linear, Mode};
use pretext_stages::nn::ops::{self, ConvSpec, NormSpec, NormTensors};
use pretext_stages::nn::resnet::{ResNet, ResNetClassifier, ResNetSpec, Stem};
use pretext_stages::nn::state::{Entry, Part};
use std::collections::BTreeMap;

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
    let network = filled(case, &device(), WAVES)?.valid();
    let logits = network.forward(ops::channels_last(case.tensor::<4>("in.x", &device())), Mode::Eval);
    case.expect("out.logits", &entries(logits), LOGITS)
}

/// In train mode, whose batch norms use the batch's statistics.
pub fn resnet_gradients(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let network = filled(case, &device, LIKE_DRAWN)?;
    let x = ops::channels_last(case.tensor::<4>("in.x", &device)).require_grad();
    let logits = network.forward(x.clone(), Mode::Train);
    case.expect("out.logits", &entries(logits.clone().inner()), GRADIENTS)?;
    let mut grads = weighted_sum(logits).backward();
    case.expect("grad.x", &entries(x.grad(&grads).expect("a gradient of x")), GRADIENTS)?;

    let flat = |tensor: &tch::Tensor| -> Vec<f64> {
        let tensor = tensor.to_device(tch::Device::Cpu).to_kind(tch::Kind::Double).contiguous();
        Vec::try_from(tensor.flatten(0, -1)).expect("it is flat")
    };
    let found = network.take_gradients(&mut grads);
    let (trained, statistics): (Vec<_>, Vec<_>) = network.entries().into_iter().partition(|entry| entry.trained);
    let gradients = trained
        .iter()
        .zip(&found)
        .map(|(entry, gradient)| Some((in_torchvision(&network, &entry.name), flat(gradient.as_ref()?))));
    let gradients: BTreeMap<String, Vec<f64>> =
        gradients.collect::<Option<_>>().ok_or("a parameter has no gradient")?;
    let parameters: Vec<String> = serde_json::from_value(case.json("parameters").clone()).map_err(|e| e.to_string())?;
    let norm = |name: &String| gradients[name].iter().map(|value| value * value).sum::<f64>().sqrt();
    case.expect("grad.norms", &parameters.iter().map(norm).collect::<Vec<_>>(), GRADIENTS)?;
    case.expect("grad.first", &gradients["conv1.weight"], GRADIENTS)?;
    case.expect("grad.norm", &gradients["layer3.0.bn1.weight"], GRADIENTS)?;
    for (array, name) in [("running_mean", "layer4.1.bn1.running_mean"), ("running_var", "layer4.1.bn1.running_var")] {
        let of = |entry: &&Entry| in_torchvision(&network, &entry.name) == name;
        let entry = statistics.iter().find(of).ok_or_else(|| format!("there is no {name}"))?;
        case.expect(&format!("out.{array}"), &flat(&entry.tensor), VALUES)?;
    }
    Ok(())
}

/// The case's network, each tensor filled by the rule: its number in torchvision's order and a place in it give a value in [-1, 1], and
/// how wide values of two and more dimensions are spread by their fan-in.
fn filled(case: &Case, device: &Device, (wave, variance): Rule) -> Result<ResNetClassifier, Failed> {
    let mut init = Init::new(0, device);
    let (blocks, bottleneck) = match case.name.rsplit('_').next() {
        Some("resnet18") => (vec![2, 2, 2, 2], false),
        Some("resnet50") => (vec![3, 4, 6, 3], true),
        _ => return Err(format!("no network for {}", case.name).into()),
    };
    let resnet = ResNet::new(&mut init, 3, &ResNetSpec { width: 64, blocks, bottleneck, stem: Stem::ImageNet });
    let fc = Linear::new(&mut init, resnet.features(), 10);
    let network = ResNetClassifier { resnet, fc };
    let keys: Vec<(String, Vec<usize>)> =
        serde_json::from_value(case.json("keys").clone()).map_err(|e| e.to_string())?;
    for mut entry in network.entries() {
        let name = in_torchvision(&network, &entry.name);
        let number =
            keys.iter().position(|(key, _)| *key == name).ok_or_else(|| format!("torchvision has no {name}"))?;
        let shape = &keys[number].1;
        let scale = (variance / shape.iter().skip(1).product::<usize>() as f64).sqrt();
        let value = |place: usize| match wave(place as f64, number as f64) {
            v if shape.len() > 1 => v * scale,
            v if name.contains("weight") || name.contains("var") => 1.0 + 0.1 * v,
            v => 0.1 * v,
        };
        let values: Vec<f32> = (0..shape.iter().product()).map(|place| value(place) as f32).collect();
        let values = tch::Tensor::from_slice(&values).reshape(entry.tensor.size());
        tch::no_grad(|| entry.tensor.copy_(&values));
    }
    Ok(network)
}

/// A value by place and number, and the variance times the fan-in that they are then given.
type Rule = (fn(f64, f64) -> f64, f64);

const WAVES: Rule = (|place, number| (place * 0.37 + number).sin(), 2.0);
const LIKE_DRAWN: Rule = (
    |place, number| {
        let large = (place * 12.9898 + number * 78.233).sin() * 43758.5453;
        2.0 * (large - large.floor()) - 1.0
    },
    6.0,
);

fn in_torchvision(network: &ResNetClassifier, name: &str) -> String {
    match name.split('.').collect::<Vec<_>>()[..] {
        ["resnet", ref ours @ ..] => network.resnet.name_in(Library::Torchvision, ours).expect("it has ResNets"),
        _ => name.to_owned(),
    }
}
