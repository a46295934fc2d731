//! The training loop, the same for every method.

use super::checkpoint::{self, Position};
use super::optimiser::{Optimiser, OptimiserConfig};
use super::schedule::warmup_cosine;
use crate::augment::{Batch, Loader};
use crate::context::{Context, Meter, Stopped};
use crate::nn::encoder::Encoder;
use anyhow::{Context as _, Result, bail};
use burn::module::Module;
use burn::tensor::Tensor;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What a pretraining method adds to the loop.
pub trait Method {
    /// Every network that is trained.
    type Model: Module;
    /// How many views of each image a batch holds.
    const VIEWS: usize;
    fn model(&self) -> &Self::Model;
    /// The part of the model that is kept and judged.
    fn encoder(&self) -> &Encoder;
    /// The mean loss of a batch.
    fn loss(&mut self, batch: Batch) -> Tensor<1>;
    /// What follows the optimiser's step number `step`, from 0, of `steps`.
    fn after_step(&mut self, _step: usize, _steps: usize) {}
    /// Tensors beside the model by name, sharing memory, that a later step depends on and a checkpoint must hold: a
    /// momentum encoder, a queue.
    fn kept(&self) -> Vec<(String, tch::Tensor)> {
        vec![]
    }
}

/// How long and how fast to train.
#[derive(Debug)]
pub struct Training<'a> {
    pub loader: Loader<'a>,
    pub epochs: usize,
    pub optimiser: &'a OptimiserConfig,
}

/// Checkpoints take about a hundredth of the time: a small network is saved several times a second, a large one every
/// quarter of a minute, and a slow disk makes them rarer still.
const CHECKPOINT_SHARE: u32 = 100;
const CHECKPOINT_AT_LATEST: Duration = Duration::from_secs(60);
/// What the first one is taken to cost.
const CHECKPOINT_GUESS: Duration = Duration::from_millis(1);

/// Trains the method's model to the end, from an earlier attempt's checkpoint where there is one. When asked to stop, it
/// saves one and returns [`Stopped`].
pub fn train<M: Method>(method: &mut M, training: &Training, context: &Context) -> Result<()> {
    let mut run = Run::start(method, training, context)?;
    let steps = run.position.step..run.total_steps();
    training.loader.for_each(steps, &context.device.clone().autodiff(), |step, batch| run.step(step, batch))?;
    run.finish()
}

struct Run<'a, M: Method> {
    method: &'a mut M,
    training: &'a Training<'a>,
    context: &'a Context<'a>,
    optimiser: Optimiser,
    position: Position,
    /// Losses of steps that are not yet summed: reading one makes a GPU wait.
    pending: Vec<Tensor<1>>,
    meter: Meter<'a>,
    started: Instant,
    first_step: usize,
    seconds_before: f64,
    last_checkpoint: Instant,
    /// How long it took.
    checkpoint_took: Duration,
}

impl<'a, M: Method> Run<'a, M> {
    fn start(method: &'a mut M, training: &'a Training<'a>, context: &'a Context<'a>) -> Result<Self> {
        let mut optimiser = Optimiser::new(method.model(), training.optimiser);
        let position = match context.saved_checkpoint() {
            Some(folder) => checkpoint::restore(&folder, method, &mut optimiser)
                .with_context(|| format!("cannot go on from {}", folder.display()))?,
            None => Position::default(),
        };
        let batch = training.loader.batch as u64;
        let total = (training.epochs * training.loader.steps_per_epoch()) as u64 * batch;
        Ok(Self {
            method,
            training,
            context,
            optimiser,
            pending: vec![],
            meter: context.meter("train", total, "images").start_at(position.step as u64 * batch),
            started: Instant::now(),
            first_step: position.step,
            seconds_before: position.seconds,
            position,
            last_checkpoint: Instant::now(),
            checkpoint_took: CHECKPOINT_GUESS,
        })
    }

    fn total_steps(&self) -> usize {
        self.training.epochs * self.training.loader.steps_per_epoch()
    }

    fn step(&mut self, step: usize, batch: Batch) -> Result<()> {
        let loss = self.method.loss(batch);
        self.optimiser.add(self.method.model(), loss.backward());
        if self.moves_after(step) {
            self.optimiser.apply(self.learning_rate(step));
            let accumulate = self.training.optimiser.accumulate as usize;
            self.method.after_step(step / accumulate, self.total_steps().div_ceil(accumulate));
        }
        self.pending.push(loss.inner());
        self.position.step = step + 1;
        self.end_epoch_if_due()?;
        if self.meter.due() {
            self.report()?;
        }
        if self.context.stopping() {
            self.save()?;
            bail!(Stopped);
        }
        if self.last_checkpoint.elapsed() > (self.checkpoint_took * CHECKPOINT_SHARE).min(CHECKPOINT_AT_LATEST) {
            self.save()?;
        }
        Ok(())
    }

    /// Whether the weights move after this batch: after every `accumulate` of them, across the ends of epochs, and after
    /// the very last.
    fn moves_after(&self, step: usize) -> bool {
        (step + 1).is_multiple_of(self.training.optimiser.accumulate as usize) || step + 1 == self.total_steps()
    }

    /// The schedule counts moves of the weights.
    fn learning_rate(&self, step: usize) -> f64 {
        let OptimiserConfig { lr, warmup_epochs, accumulate, .. } = *self.training.optimiser;
        let moves = |steps: usize| steps.div_ceil(accumulate as usize);
        let warmup = warmup_epochs as usize * self.training.loader.steps_per_epoch();
        warmup_cosine(step / accumulate as usize, moves(self.total_steps()), moves(warmup), lr, 0.0)
    }

    fn end_epoch_if_due(&mut self) -> Result<()> {
        let steps = self.training.loader.steps_per_epoch();
        if self.position.step.is_multiple_of(steps) {
            self.settle()?;
            self.position.losses.push(self.position.loss_sum / steps as f64);
            self.position.loss_sum = 0.0;
        }
        Ok(())
    }

    /// Sums up pending losses in order, one by one, so that the sum does not depend on when it is asked for.
    fn settle(&mut self) -> Result<f64> {
        let first = self.position.step - self.pending.len();
        let mut last = f64::NAN;
        for (offset, loss) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            last = f64::from(loss.into_scalar::<f32>());
            if !last.is_finite() {
                let step = first + offset + 1;
                let epoch = (step - 1) / self.training.loader.steps_per_epoch() + 1;
                bail!("loss became {last} at step {step} (epoch {epoch}): lower optimiser.lr, or raise warmup_epochs");
            }
            self.position.loss_sum += last;
        }
        Ok(last)
    }

    fn report(&mut self) -> Result<()> {
        let epoch = (self.position.step - 1) / self.training.loader.steps_per_epoch() + 1;
        let done = self.position.step as u64 * self.training.loader.batch as u64;
        if let Some(loss) = self.pending.last().cloned() {
            let loss = f64::from(loss.into_scalar::<f32>());
            self.settle()?;
            self.meter.at(done, &[("epoch", epoch as f64), ("loss", loss)]);
        }
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        let began = Instant::now();
        self.settle()?;
        self.position.seconds = self.seconds_before + self.started.elapsed().as_secs_f64();
        checkpoint::save(self.context, self.method, &self.optimiser, &self.position)?;
        self.last_checkpoint = Instant::now();
        self.checkpoint_took = began.elapsed();
        Ok(())
    }

    /// Writes the curve and what training cost.
    fn finish(self) -> Result<()> {
        let steps = self.position.step - self.first_step;
        let images = (steps * self.training.loader.batch) as f64;
        let seconds = self.started.elapsed().as_secs_f64();
        self.context.cost(|cost| {
            cost.images_per_second = (steps > 0).then(|| images / seconds);
            cost.seconds_before_resume = self.seconds_before;
        });
        let mut curve = String::from("epoch,loss\n");
        for (epoch, loss) in self.position.losses.iter().enumerate() {
            writeln!(curve, "{},{loss}", epoch + 1)?;
        }
        Ok(std::fs::write(self.context.side().join("curve.csv"), curve)?)
    }
}
