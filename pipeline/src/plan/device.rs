use super::{Node, NodeResources};
use crate::text;
use pretext_protocol::Gpu;
use std::fmt;
use std::str::FromStr;

/// Where a stage is to be computed, as a recipe or the command line says it. It counts in no key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// On a GPU, where there is one and the stage's kind has use for it. While others have them all it waits: a result's
    /// last bits differ between devices, and so the device does not follow the load of the moment.
    #[default]
    Auto,
    Cpu,
    /// The GPU of this number.
    Cuda(usize),
}

impl Device {
    /// What it may be, for messages.
    pub const EXPECTED: &str = "auto, cpu, or cuda:N with the number of a GPU";
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("cuda:").filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        match (text, number.and_then(|number| number.parse().ok())) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            (_, Some(number)) => Ok(Self::Cuda(number)),
            _ => Err(format!("expected {}", Self::EXPECTED)),
        }
    }
}

/// What a stage takes of the GPUs that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gpus {
    /// So many, whichever are free.
    Any(usize),
    /// The one of this number.
    This(usize),
}

impl Gpus {
    /// Those that it is given of the free ones; None where it must wait.
    pub fn of(self, free: &[usize]) -> Option<Vec<usize>> {
        match self {
            Self::Any(count) => free.get(..count).map(<[usize]>::to_vec),
            Self::This(number) => free.contains(&number).then(|| vec![number]),
        }
    }
}

impl NodeResources {
    /// For a kind to which a GPU is what it is: where it is of no use, none is taken unless the stage itself names one.
    pub fn for_kind(&self, gpu: Gpu, is_own_device: bool) -> Self {
        let has_use = match self.device {
            Device::Auto => gpu == Gpu::Used || self.gpus > 0,
            Device::Cpu => false,
            Device::Cuda(_) => gpu != Gpu::Unused || is_own_device,
        };
        Self { device: if has_use { self.device } else { Device::Cpu }, ..self.clone() }
    }

    /// Whether it cannot do without a GPU.
    pub fn insists_on_gpu(&self) -> bool {
        self.gpus > 0 || matches!(self.device, Device::Cuda(_))
    }

    /// What it takes of this machine's GPUs, or why it can never run here.
    pub fn gpus_among(&self, there: &[usize]) -> Result<Gpus, String> {
        match self.device {
            Device::Cuda(number) if there.contains(&number) => Ok(Gpus::This(number)),
            Device::Cuda(number) => {
                let names: Vec<String> = there.iter().map(|number| Device::Cuda(*number).to_string()).collect();
                let found = if names.is_empty() { "no GPU".to_owned() } else { names.join(", ") };
                Err(format!(
                    "it wants cuda:{number} and this machine has {found}: change `device`, or say --device auto or \
                     --device cpu"
                ))
            }
            _ if self.gpus > there.len() => {
                let (wants, has) = (text::counted(self.gpus, "GPU"), text::counted(there.len(), "GPU"));
                Err(format!("it wants {wants} and this machine has {has}: change `resources`, or name them by --gpus"))
            }
            Device::Auto if self.gpus == 0 => Ok(Gpus::Any(there.len().min(1))),
            Device::Auto | Device::Cpu => Ok(Gpus::Any(self.gpus)),
        }
    }
}

impl Node {
    /// Has it computed elsewhere than the recipe says. A GPU is for kinds that have use for one, and for stages that
    /// insist on one themselves. Says whether it changes anything for this one.
    pub fn put_on(&mut self, device: Device) -> bool {
        let fits = device == Device::Cpu || self.kind.gpu != Gpu::Unused || self.resources.insists_on_gpu();
        if fits {
            let is_in_vain = device == Device::Auto && self.kind.gpu == Gpu::Missing;
            self.resources.device = if is_in_vain { Device::Cpu } else { device };
            self.resources.gpus = 0;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(device: Device, gpus: usize) -> NodeResources {
        NodeResources { device, gpus, ..NodeResources::default() }
    }

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in ["auto", "cpu", "cuda:0", "cuda:12"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        for text in ["gpu", "cuda", "cuda:", "cuda:-1", "cuda:+1", "CPU", "cuda:99999999999999999999"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_kind_without_use_for_a_gpu_is_given_none_unless_its_stage_names_one() {
        let device = |wanted: NodeResources, gpu, is_own| wanted.for_kind(gpu, is_own).device;
        for (gpu, auto, of_recipe) in [
            (Gpu::Unused, Device::Cpu, Device::Cpu),
            (Gpu::Missing, Device::Cpu, Device::Cuda(1)),
            (Gpu::Used, Device::Auto, Device::Cuda(1)),
        ] {
            assert_eq!(device(on(Device::Auto, 0), gpu, false), auto);
            assert_eq!(device(on(Device::Cuda(1), 0), gpu, false), of_recipe);
            assert_eq!(device(on(Device::Cuda(1), 0), gpu, true), Device::Cuda(1));
            assert_eq!(device(on(Device::Auto, 1), gpu, false), Device::Auto);
        }
    }

    #[test]
    fn auto_takes_a_gpu_where_there_is_one_and_a_named_one_must_be_there() {
        let taken = |wanted: NodeResources, there: &[usize]| wanted.gpus_among(there);
        assert_eq!(taken(on(Device::Auto, 0), &[]), Ok(Gpus::Any(0)));
        assert_eq!(taken(on(Device::Auto, 0), &[0, 1]), Ok(Gpus::Any(1)));
        assert_eq!(taken(on(Device::Cpu, 0), &[0, 1]), Ok(Gpus::Any(0)));
        assert_eq!(taken(on(Device::Auto, 2), &[0, 1]), Ok(Gpus::Any(2)));
        assert_eq!(taken(on(Device::Cuda(1), 0), &[0, 1]), Ok(Gpus::This(1)));
        let remedy = "change `device`, or say --device auto or --device cpu";
        let absent = |there: &[usize]| taken(on(Device::Cuda(2), 0), there).unwrap_err();
        assert_eq!(absent(&[0, 1]), format!("it wants cuda:2 and this machine has cuda:0, cuda:1: {remedy}"));
        assert_eq!(absent(&[]), format!("it wants cuda:2 and this machine has no GPU: {remedy}"));
    }
}
