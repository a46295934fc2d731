use crate::nn::{Init, Mlp, Norms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the network between features and a loss. `HIDDEN`, `OUT`: a method's defaults.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Projector<const HIDDEN: u32, const OUT: u32> {
    /// length of the projector's hidden layer
    #[serde(default = "constant::<HIDDEN>")]
    #[schemars(range(min = 1, max = 8192))]
    pub projector_hidden: u32,
    /// length of the projector's output
    #[serde(default = "constant::<OUT>")]
    #[schemars(range(min = 1, max = 8192))]
    pub projector_out: u32,
}

fn constant<const N: u32>() -> u32 {
    N
}

impl<const HIDDEN: u32, const OUT: u32> Default for Projector<HIDDEN, OUT> {
    fn default() -> Self {
        Self { projector_hidden: HIDDEN, projector_out: OUT }
    }
}

impl<const HIDDEN: u32, const OUT: u32> Projector<HIDDEN, OUT> {
    /// Two layers, `[batch, features]` to `[batch, out]`.
    pub fn build(&self, init: &mut Init, features: usize, norms: Norms) -> Mlp {
        Mlp::new(init, &[features, self.projector_hidden as usize, self.out()], norms)
    }

    pub fn out(&self) -> usize {
        self.projector_out as usize
    }
}
