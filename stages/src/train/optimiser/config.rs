use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserKind {
    Sgd,
    Adamw,
    Lars,
}

/// Which parameters go without weight decay and without LARS's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exclude {
    Auto,
    Nothing,
    BiasAndNorm,
}

/// How weights follow gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OptimiserConfig {
    /// sgd; adamw (Loshchilov & Hutter 2019, arXiv:1711.05101; eps 1e-8); or lars (You et al. 2017, arXiv:1708.03888),
    /// which is sgd with a rate of its own for each weight tensor (section 4). As in solo-learn and lightly, and unlike
    /// the paper, the learning rate stands outside of the momentum
    pub kind: OptimiserKind,
    /// learning rate after warm-up; falls to 0 by half a cosine
    #[schemars(range(min = 0))]
    pub lr: f64,
    /// of sgd and lars
    #[schemars(range(min = 0, max = 1))]
    pub momentum: f64,
    /// of sgd and lars: look ahead by the momentum (Nesterov)
    pub nesterov: bool,
    /// of adamw: what is kept of the mean of gradients at each step
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// of adamw: what is kept of the mean of squared gradients at each step
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// of every trained parameter that `exclude` does not name; decoupled in adamw
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// what has no weight decay, and with lars no rate of its own: nothing, or bias_and_norm, which are the parameters of
    /// one dimension (as in the code of SimCLR, arXiv:2002.05709, and in BYOL, arXiv:2006.07733). auto: bias_and_norm with lars, else nothing
    pub exclude: Exclude,
    /// of lars: eta, by which a tensor's norm over its gradient's is multiplied (section 4)
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub trust: f64,
    /// of lars: no tensor's rate is larger than `lr` would be with sgd (LARC)
    pub clip_rate: bool,
    /// Euclidean norm of all gradients together above which they are scaled down to it (Pascanu et al. 2013,
    /// arXiv:1211.5063); 0: no limit
    #[schemars(range(min = 0))]
    pub clip_norm: f64,
    /// batches whose mean gradient makes one step; batch norm and contrastive losses see each batch alone
    #[schemars(range(min = 1), extend("x-unit" = "batches"))]
    pub accumulate: u32,
    /// epochs in which the learning rate rises linearly
    #[schemars(range(min = 0), extend("x-unit" = "epochs"))]
    pub warmup_epochs: u32,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self {
            kind: OptimiserKind::Sgd,
            lr: 0.06,
            momentum: 0.9,
            nesterov: false,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 5e-4,
            exclude: Exclude::Auto,
            trust: 1e-3,
            clip_rate: false,
            clip_norm: 0.0,
            accumulate: 1,
            warmup_epochs: 0,
        }
    }
}

impl OptimiserConfig {
    /// Whether biases and the parameters of norms are left out of weight decay and LARS.
    pub fn excludes_bias_and_norm(&self) -> bool {
        match self.exclude {
            Exclude::Auto => self.kind == OptimiserKind::Lars,
            Exclude::Nothing => false,
            Exclude::BiasAndNorm => true,
        }
    }
}
