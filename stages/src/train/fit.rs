//! The training loop, the same for everything that trains.

use super::checkpoint::Position;
use super::failure::{self, NotFinite};
use super::learner::Learner;
use super::{Objective, Term, Training};
use crate::augment::Batch;
use crate::context::{Context, Meter, Stopped};
use crate::nn::encoder::Encoder;
use crate::nn::ops;
use anyhow::{Result, bail};
use burn::tensor::Tensor;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Checkpoints take about a hundredth of the time: a small network is saved several times a second, a large one every
/// quarter of a minute, and a slow disk makes them rarer still.
const CHECKPOINT_SHARE: u32 = 100;
const CHECKPOINT_AT_LATEST: Duration = Duration::from_secs(60);

/// Trains to the end, from an earlier attempt's checkpoint where there is one. When asked to stop, it
/// saves one and returns [`Stopped`]. What is not finite is never saved: it ends the training with the step that made it. In a rehearsal
/// nothing is trained.
pub fn fit(encoder: &Encoder, objective: &mut dyn Objective, training: &Training, context: &Context) -> Result<()> {
    if context.rehearses {
        return Ok(());
    }
    let learner = Learner::new(encoder, objective, training);
    if context.replays {
        return Err(failure::replay(learner, training, context)?.into());
    }
    let mut attempt = Attempt::start(learner, training, context)?;
    match attempt.complete() {
        Err(error) => match error.downcast::<NotFinite>() {
            Ok(seen) => Err(failure::explain(attempt.learner, training, context, seen)),
            Err(error) => Err(error),
        },
        Ok(()) => Ok(()),
    }
}

struct Attempt<'a> {
    learner: Learner<'a>,
    training: &'a Training<'a>,
    context: &'a Context<'a>,
    position: Position,
    /// Losses of steps that are not yet summed: reading one makes a GPU wait.
    pending: Vec<Vec<Term>>,
    meter: Meter<'a>,
    first_step: usize,
    seconds_before: f64,
    clock: Clock,
    last_checkpoint: Instant,
    /// How long it took.
    checkpoint_took: Duration,
}

/// Where this attempt's time went.
struct Clock {
    started: Instant,
    /// For batches.
    waited: Duration,
    /// Evaluating the encoder is not training.
    evaluated: Duration,
}

impl<'a> Attempt<'a> {
    fn start(mut learner: Learner<'a>, training: &'a Training<'a>, context: &'a Context<'a>) -> Result<Self> {
        let position = match context.saved_checkpoint() {
            Some(folder) => learner.restore(&folder)?,
            None => Position::default(),
        };
        let batch = training.source.size() as u64;
        let now = Instant::now();
        let mut attempt = Self {
            learner,
            training,
            context,
            pending: vec![],
            meter: context
                .meter("train", training.steps as u64 * batch, "images")
                .start_at(position.step as u64 * batch),
            first_step: position.step,
            seconds_before: position.seconds,
            position,
            clock: Clock { started: now, waited: Duration::ZERO, evaluated: Duration::ZERO },
            last_checkpoint: now,
            checkpoint_took: Duration::ZERO,
        };
        if attempt.position.step == 0 {
            // A failure of the first steps needs a state to go back to.
            attempt.save()?;
        }
        Ok(attempt)
    }

    fn complete(&mut self) -> Result<()> {
        // An earlier attempt may have been stopped after an epoch and before the encoder was evaluated.
        self.evaluate_if_due()?;
        let steps = self.position.step..self.training.steps;
        let device = self.context.device.clone().autodiff();
        self.clock.waited = self.training.source.for_each(steps, &device, |step, batch| self.step(step, batch))?;
        self.check()?;
        self.write_curve()
    }

    fn step(&mut self, step: usize, batch: Batch) -> Result<()> {
        let at = self.training.at(step);
        self.pending.push(ops::without_waiting(|| self.learner.step(&at, batch)));
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

    fn end_epoch_if_due(&mut self) -> Result<()> {
        let steps = self.training.steps_of(self.training.epoch_of(self.position.step));
        if self.position.step == steps.end {
            self.settle()?;
            self.position.end_epoch(steps.len());
            self.evaluate_if_due()?;
        }
        Ok(())
    }

    /// Evaluates the encoder after an epoch whose turn it is.
    fn evaluate_if_due(&mut self) -> Result<()> {
        let (Some(evaluation), epoch) = (&self.training.evaluation, self.position.losses.len()) else { return Ok(()) };
        let at_end = epoch > 0 && self.position.step == self.training.steps_of(epoch).end;
        let is_due = at_end && evaluation.is_due(epoch, self.training.epochs());
        if !is_due || self.position.knn.contains_key(&epoch) {
            return Ok(());
        }
        self.check()?;
        let began = Instant::now();
        let Some(accuracy) = (evaluation.accuracy)(self.learner.encoder()) else {
            self.save()?;
            bail!(Stopped);
        };
        self.position.knn.insert(epoch, accuracy);
        self.clock.evaluated += began.elapsed();
        Ok(())
    }

    /// Sums up pending losses in order, one by one, so that the sum does not depend on when it is asked for. They are read
    /// together: each look makes a GPU wait.
    fn settle(&mut self) -> Result<()> {
        let first = self.position.step - self.pending.len();
        let pending = std::mem::take(&mut self.pending);
        let losses = read_all(pending.iter().map(|terms| Term::sum(terms)).collect());
        for (offset, loss) in losses.into_iter().enumerate() {
            if !loss.is_finite() {
                bail!(NotFinite { what: "the loss".to_owned(), step: first + offset + 1 });
            }
            self.position.loss_sum += loss;
        }
        let terms: Vec<Term> = pending.into_iter().filter(|terms| terms.len() > 1).flatten().collect();
        let values = read_all(terms.iter().map(|term| term.value.clone()).collect());
        for (term, value) in terms.iter().zip(values) {
            *self.position.term_sums.entry(term.name.to_owned()).or_default() += value;
        }
        Ok(())
    }

    /// That nothing is wrong so far: a gradient that is not finite leaves weights that are not, before a loss shows it.
    fn check(&mut self) -> Result<()> {
        self.settle()?;
        match self.learner.first_not_finite() {
            Some(what) => bail!(NotFinite { what, step: self.position.step }),
            None => Ok(()),
        }
    }

    fn report(&mut self) -> Result<()> {
        let done = self.position.step as u64 * self.training.source.size() as u64;
        let epoch = self.training.epoch_of(self.position.step) as f64;
        if let Some(terms) = self.pending.last() {
            let loss = f64::from(Term::sum(terms).into_scalar::<f32>());
            let mut values = vec![("epoch", epoch), ("loss", loss)];
            self.settle()?;
            values.extend(self.position.knn.values().next_back().map(|&accuracy| ("knn", accuracy)));
            self.meter.at(done, &values);
        }
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        let began = Instant::now();
        self.check()?;
        self.position.seconds = self.seconds_before + self.clock.started.elapsed().as_secs_f64();
        self.context.save_checkpoint(|folder| self.learner.save(folder, &self.position))?;
        self.last_checkpoint = Instant::now();
        self.checkpoint_took = began.elapsed();
        Ok(())
    }

    /// Writes the curve and what training cost.
    fn write_curve(&self) -> Result<()> {
        let steps = self.position.step - self.first_step;
        let images = (steps * self.training.source.size()) as f64;
        let seconds = (self.clock.started.elapsed() - self.clock.evaluated).as_secs_f64();
        let of_time = |what: f64| (steps > 0 && seconds > 0.0).then(|| what / seconds);
        self.context.cost(|cost| {
            cost.images_per_second = of_time(images);
            cost.data_wait_share = of_time(self.clock.waited.as_secs_f64());
            cost.seconds_before_resume = self.seconds_before;
        });
        Ok(std::fs::write(self.context.side().join("curve.csv"), self.curve())?)
    }

    /// Means of each epoch: the loss, its terms where it has several, and the evaluations.
    fn curve(&self) -> String {
        let Position { losses, terms, knn, .. } = &self.position;
        let is_evaluated = self.training.evaluation.is_some();
        let names: Vec<&str> = terms.first().into_iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
        let header = ["epoch", "loss"].into_iter().chain(names.iter().copied()).chain(is_evaluated.then_some("knn"));
        let mut lines = vec![header.map(str::to_owned).collect::<Vec<_>>()];
        for ((epoch, loss), terms) in (1..).zip(losses).zip(terms) {
            let mut line = vec![epoch.to_string(), loss.to_string()];
            line.extend(names.iter().map(|name| terms.get(*name).map_or(String::new(), f64::to_string)));
            line.extend(is_evaluated.then(|| knn.get(&epoch).map_or(String::new(), f64::to_string)));
            lines.push(line);
        }
        lines.into_iter().map(|line| line.join(",") + "\n").collect()
    }
}

/// One number of each tensor, with one look for all of them.
fn read_all(values: Vec<Tensor<1>>) -> Vec<f64> {
    if values.is_empty() {
        return vec![];
    }
    ops::read(&Tensor::cat(values, 0), |values| values.iter().map(|&value| f64::from(value)).collect())
}
