use crate::train::schedule::Schedule;
use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserKind {
    Sgd,
    Adamw,
    Lars,
}

impl OptimiserKind {
    const ALL: [Self; 3] = [Self::Sgd, Self::Adamw, Self::Lars];

    fn lr(self) -> f64 {
        match self {
            Self::Sgd | Self::Lars => 0.06,
            Self::Adamw => 1e-3,
        }
    }

    fn weight_decay(self) -> f64 {
        match self {
            Self::Sgd | Self::Lars => 5e-4,
            Self::Adamw => 0.05,
        }
    }

    fn exclude(self) -> Exclude {
        match self {
            Self::Sgd => Exclude::Nothing,
            Self::Adamw | Self::Lars => Exclude::BiasAndNorm,
        }
    }
}

/// A parameter's value with each kind, as the protocol's `x-default-by`.
fn by_kind<V: Serialize>(own: fn(OptimiserKind) -> V) -> Value {
    let name = |kind| json!(kind).as_str().expect("a kind is a word").to_owned();
    let values: Map<String, Value> =
        OptimiserKind::ALL.into_iter().map(|kind| (name(kind), json!(own(kind)))).collect();
    json!({ "kind": values })
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
    /// learning rate after warm-up
    #[schemars(range(min = 0), extend("x-default-by" = by_kind(OptimiserKind::lr)))]
    pub lr: Option<f64>,
    /// of sgd and lars
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// of sgd and lars: look ahead by the momentum (Nesterov), which is above 0
    #[schemars(extend("x-contradicts" = [{ "momentum": [0.0], "kind": ["sgd", "lars"] }]))]
    pub nesterov: bool,
    /// of adamw: what is kept of the mean of gradients at each step
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// of adamw: what is kept of the mean of squared gradients at each step
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// of every trained parameter that `exclude` does not name; decoupled in adamw
    #[schemars(range(min = 0), extend("x-default-by" = by_kind(OptimiserKind::weight_decay)))]
    pub weight_decay: Option<f64>,
    /// what weight decay comes to at the end, by half a cosine from `weight_decay` on (DINO, Caron et al. 2021, arXiv:2104.14294, has .04 and
    /// .4); null: it stays
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub weight_decay_end: Option<f64>,
    /// what has no weight decay, and with lars no rate of its own: nothing, or bias_and_norm, which are the parameters of
    /// one dimension, a class token among them (as in the code of SimCLR, arXiv:2002.05709, in BYOL, arXiv:2006.07733, and in MAE's
    /// code, arXiv:2111.06377). auto: by kind
    #[schemars(extend("x-default-by" = by_kind(OptimiserKind::exclude)))]
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
    /// epochs, or a part of one, in which the learning rate rises linearly; no more than the training has
    #[schemars(range(min = 0), extend("x-unit" = "epochs"))]
    pub warmup_epochs: f64,
    /// how the learning rate goes after warm-up, to 0 where a further step would follow: by half a cosine, linear, poly (what is left of the
    /// training to the power of .9, arXiv:1606.00915), or constant
    #[serde(skip_serializing_if = "Schedule::is_default")]
    #[schemars(extend("default" = Schedule::default()))]
    pub schedule: Schedule,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self {
            kind: OptimiserKind::Sgd,
            lr: None,
            momentum: 0.9,
            nesterov: false,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: None,
            weight_decay_end: None,
            exclude: Exclude::Auto,
            trust: 1e-3,
            clip_rate: false,
            clip_norm: 0.0,
            accumulate: 1,
            warmup_epochs: 0.0,
            schedule: Schedule::default(),
        }
    }
}

impl OptimiserConfig {
    /// With what goes with a kind.
    pub fn of(kind: OptimiserKind) -> Self {
        Self { kind, ..Self::default() }
    }

    pub fn lr(&self) -> f64 {
        self.lr.unwrap_or(self.kind.lr())
    }

    pub fn weight_decay(&self) -> f64 {
        self.weight_decay.unwrap_or(self.kind.weight_decay())
    }

    /// Whether biases and the parameters of norms are left out of weight decay and LARS.
    pub fn excludes_bias_and_norm(&self) -> bool {
        let exclude = if self.exclude == Exclude::Auto { self.kind.exclude() } else { self.exclude };
        exclude == Exclude::BiasAndNorm
    }

    /// An error where its parameters contradict each other.
    pub fn check(&self) -> Result<()> {
        let looks_ahead = self.nesterov && self.kind != OptimiserKind::Adamw;
        ensure!(
            !looks_ahead || self.momentum > 0.0,
            "optimiser.nesterov is true and optimiser.momentum is 0, by which nothing can look ahead: write `nesterov: false`, or \
             a momentum as 0.9"
        );
        Ok(())
    }
}
