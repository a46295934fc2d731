//! A DAG of typed nodes, their keys, and for each whether it must run and why.

mod device;
mod drawing;
mod evaluate;
mod explain;
mod json;
mod keys;
mod known;
mod names;
mod node;
mod notes;
mod params;
mod program;
mod reason;
mod rebuilt;
mod text;
mod words;

pub use device::{Device, Gpus};
pub use drawing::Drawing;
pub use evaluate::{Earlier, Status, depths, evaluate};
pub use explain::{History, Question};
pub use json::write_json;
pub use keys::{canonical, canonical_at};
pub use known::{Known, Lookup};
pub(crate) use names::split;
pub use names::{NodePattern, common_name};
pub use node::*;
pub use notes::{notes, unlisted, wider_than};
pub use params::Params;
pub use program::{CodeFile, Program};
pub use reason::{Reason, differences};
pub use rebuilt::rebuilt;
pub use text::{Counts, text};
pub use words::{SPARED, ago, sentence, words};
