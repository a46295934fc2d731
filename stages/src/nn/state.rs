//! A network's tensors by name: for checkpoints, artifacts and optimisers.

use super::ops;
use anyhow::{Context, Result, bail, ensure};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// One tensor of a network. `tensor` shares the network's memory.
#[derive(Debug)]
pub struct Entry {
    /// `encoder.layers.0.1.convs.0.conv.weight`
    pub name: String,
    pub tensor: tch::Tensor,
    /// False for running statistics.
    pub trained: bool,
}

/// A network seen from outside: all that training, checkpoints and artifacts need of it, whatever it is made of.
pub trait Part {
    /// Every tensor, in the order of its fields.
    fn entries(&self) -> Vec<Entry>;
    /// Takes the gradients of what is trained out of `grads`, in the order of [`Part::entries`]; `None` where the loss does not depend on
    /// it. They may share memory with each other: only read them.
    fn take_gradients(&self, grads: &mut Gradients) -> Vec<Option<tch::Tensor>>;
}

impl<M: Module> Part for M {
    fn entries(&self) -> Vec<Entry> {
        let mut visitor = Collect::default();
        self.visit(&mut visitor);
        visitor.entries
    }

    fn take_gradients(&self, grads: &mut Gradients) -> Vec<Option<tch::Tensor>> {
        let mut visitor = Take { grads, found: vec![] };
        self.visit(&mut visitor);
        visitor.found
    }
}

/// Parts by name, one after the other: `encoder`, `projector`.
pub struct Parts<'a>(pub Vec<(&'static str, &'a dyn Part)>);

impl Part for Parts<'_> {
    fn entries(&self) -> Vec<Entry> {
        let named = |(part, of): &(&str, &dyn Part)| {
            let full = |entry: Entry| Entry { name: format!("{part}.{}", entry.name), ..entry };
            of.entries().into_iter().map(full).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(named).collect()
    }

    fn take_gradients(&self, grads: &mut Gradients) -> Vec<Option<tch::Tensor>> {
        self.0.iter().flat_map(|(_, part)| part.take_gradients(grads)).collect()
    }
}

#[derive(Default)]
struct Collect {
    path: Vec<String>,
    entries: Vec<Entry>,
}

impl ModuleVisitor for Collect {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let name = self.path.join(".");
        self.entries.push(Entry { name, trained: value.is_require_grad(), tensor: ops::raw(&value) });
    }
}

struct Take<'a> {
    grads: &'a mut Gradients,
    found: Vec<Option<tch::Tensor>>,
}

impl ModuleVisitor for Take<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            self.found.push(value.grad_remove(self.grads).map(|grad| ops::raw(&grad)));
        }
    }
}

/// The same network, of which nothing is trained but what is named.
pub fn frozen_but<M: Module>(network: M, trained: &BTreeSet<String>) -> M {
    network.map(&mut Freeze { path: vec![], trained })
}

struct Freeze<'a> {
    path: Vec<String>,
    trained: &'a BTreeSet<String>,
}

impl ModuleMapper for Freeze<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.trained.contains(&self.path.join(".")) { param } else { param.set_require_grad(false) }
    }
}

/// Writes tensors as safetensors, in channels-first order, sorted by name, so that equal tensors give equal bytes.
pub fn save(path: &Path, tensors: &[(String, tch::Tensor)]) -> Result<()> {
    save_with(path, tensors, None)
}

/// The same, with something that the file says beside them.
pub fn save_with(path: &Path, tensors: &[(String, tch::Tensor)], beside: Option<(&str, String)>) -> Result<()> {
    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let shape = tensor.size().iter().map(|&n| n as usize).collect();
            (name.clone(), shape, floats(tensor).iter().flat_map(|x| x.to_le_bytes()).collect())
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, data)| {
            Ok((name.as_str(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), data)?))
        })
        .collect::<Result<BTreeMap<_, _>>>()?;
    let beside = beside.map(|(name, text)| HashMap::from([(name.to_owned(), text)]));
    safetensors::serialize_to_file(views, beside, path).with_context(|| format!("cannot write {}", path.display()))
}

/// The values in logical order.
pub fn floats(tensor: &tch::Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(tch::Device::Cpu).to_kind(tch::Kind::Float).contiguous().flatten(0, -1);
    Vec::<f32>::try_from(&flat).expect("a flat tensor of floats")
}

/// Reads what [`save`] wrote.
pub fn load(path: &Path) -> Result<BTreeMap<String, tch::Tensor>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file =
        safetensors::SafeTensors::deserialize(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    file.iter()
        .map(|(name, view)| {
            ensure!(
                view.dtype() == safetensors::Dtype::F32,
                "{name} in {} is {:?}, not F32",
                path.display(),
                view.dtype()
            );
            let values: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
            Ok((name.to_owned(), tch::Tensor::from_slice(&values).reshape(shape)))
        })
        .collect()
}

/// The names and tensors of a network.
pub fn named(part: &(impl Part + ?Sized)) -> Vec<(String, tch::Tensor)> {
    part.entries().into_iter().map(|entry| (entry.name, entry.tensor)).collect()
}

/// Writes the values of `tensors` into the network. Every tensor of the network must be there with its shape.
pub fn restore(part: &(impl Part + ?Sized), tensors: &BTreeMap<String, tch::Tensor>) -> Result<()> {
    restore_named(named(part), tensors)
}

/// [`restore`], into tensors that are no network's.
pub fn restore_named(into: Vec<(String, tch::Tensor)>, tensors: &BTreeMap<String, tch::Tensor>) -> Result<()> {
    for (name, mut tensor) in into {
        let Some(saved) = tensors.get(&name) else {
            bail!("{name} is missing among the {} saved tensors", tensors.len());
        };
        ensure!(saved.size() == tensor.size(), "{name}: saved {:?}, expected {:?}", saved.size(), tensor.size());
        tch::no_grad(|| tensor.copy_(saved));
    }
    Ok(())
}
