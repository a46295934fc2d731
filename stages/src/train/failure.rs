//! When a number is not finite: the step that made it is found by going once more from the last good checkpoint, where a
//! look at every tensor of every step does no harm, and kept so that a person can run it again.

use super::Training;
use super::checkpoint::Position;
use super::learner::{Learner, first_not_finite};
use crate::augment::Batch;
use crate::context::Context;
use crate::nn::ops::{self, Summary};
use anyhow::{Context as _, Result, anyhow, bail};
use std::fmt;
use std::path::Path;

/// Something that is not finite was seen. `step`, from 1, is the first at whose end it could be seen.
#[derive(Debug)]
pub struct NotFinite {
    pub what: String,
    pub step: usize,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not finite at step {}", self.what, self.step)
    }
}

impl std::error::Error for NotFinite {}

/// What a replayed step held: the end of a stage that computes nothing else.
#[derive(Debug)]
pub struct Replayed(String);

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Replayed {}

/// Where it began.
struct Fault {
    /// The step's number, from 0.
    step: usize,
    /// The first tensor of the step that is not finite.
    tensor: String,
    summary: Summary,
}

/// What to tell about a training in which something was not finite.
pub fn explain(mut learner: Learner, training: &Training, context: &Context, seen: NotFinite) -> anyhow::Error {
    eprintln!("{seen}: going back to the last good checkpoint to find where it began");
    let good = context.last_checkpoint().context("there is no checkpoint to go back to");
    match good.and_then(|good| find_and_keep(&mut learner, training, context, &good, seen.step)) {
        Ok(message) => anyhow!(message),
        Err(error) if error.is::<crate::context::Stopped>() => error,
        Err(error) => {
            error.context(format!("{seen} (epoch {}); where it began was not found", training.epoch_of(seen.step)))
        }
    }
}

/// The message about a fault before the end of step number `last`; the state before that step is kept.
fn find_and_keep(
    learner: &mut Learner,
    training: &Training,
    context: &Context,
    good: &Path,
    last: usize,
) -> Result<String> {
    let start = learner.restore(good)?;
    let Some(fault) = find(learner, training, context, start.step..last)? else {
        bail!("the steps since the last good checkpoint gave other numbers when they were repeated");
    };
    learner.restore(good)?;
    let (device, before) = (context.device.clone().autodiff(), start.step..fault.step);
    training.source.for_each(before, &device, |step, batch| {
        learner.step(&training.at(step), batch);
        context.check_stop()
    })?;
    let position = Position { step: fault.step, ..start.clone() };
    let folder = context.keep_failed_step(|folder| learner.save(folder, &position))?;
    let again = format!("pretext-worker replay {}", folder.display());
    eprintln!("to run step {} again, with the norm of every tensor: {again}", fault.step + 1);
    Ok(format!(
        "{}\nthe last good checkpoint, after step {}, stays; to run the step again: {again}",
        fault.sentence(training),
        start.step
    ))
}

/// Ends the source's loop.
#[derive(Debug)]
struct Found;

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("found")
    }
}

impl std::error::Error for Found {}

fn find(
    learner: &mut Learner,
    training: &Training,
    context: &Context,
    steps: std::ops::Range<usize>,
) -> Result<Option<Fault>> {
    let mut fault = None;
    let watch = |step, batch: Batch| {
        context.check_stop()?;
        learner.watched_step(&training.at(step), batch, |tensors| {
            if fault.is_none() {
                let shared = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect();
                let found = first_not_finite(shared).and_then(|name| tensors.into_iter().find(|(n, _)| *n == name));
                fault = found.map(|(tensor, values)| Fault { step, tensor, summary: ops::summary(&values) });
            }
        });
        if fault.is_some() { bail!(Found) } else { Ok(()) }
    };
    match training.source.for_each(steps, &context.device.clone().autodiff(), watch) {
        Err(error) if !error.is::<Found>() => Err(error),
        _ => Ok(fault),
    }
}

impl Fault {
    fn sentence(&self, training: &Training) -> String {
        let what = if self.summary.nans > 0 { "NaN" } else { "an infinity" };
        let mend = if self.tensor.ends_with("of the images") {
            "look at the data and its views"
        } else {
            "lower optimiser.lr, raise optimiser.warmup_epochs or set optimiser.clip_norm"
        };
        let (step, epoch) = (self.step + 1, training.epoch_of(self.step + 1));
        format!("{what} in {} at step {step} (epoch {epoch}): {mend}", self.tensor)
    }
}

/// Runs the step that a checkpoint is before, and says what each tensor of it held.
pub fn replay(mut learner: Learner, training: &Training, context: &Context) -> Result<Replayed> {
    let folder = context.saved_checkpoint().context("there is no checkpoint beside the request")?;
    let step = learner.restore(&folder)?.step;
    let mut lines = vec![format!("{:>12}  {:>12}  {:>10}  tensor", "norm", "largest", "not finite")];
    let mut fault = None;
    training.source.for_each(step..step + 1, &context.device.clone().autodiff(), |step, batch| {
        learner.watched_step(&training.at(step), batch, |tensors| {
            for (tensor, values) in tensors {
                let summary = ops::summary(&values);
                let Summary { norm, largest, nans, infinities } = summary;
                lines.push(format!("{norm:>12.5e}  {largest:>12.5e}  {:>10}  {tensor}", nans + infinities));
                if fault.is_none() && nans + infinities > 0 {
                    fault = Some(Fault { step, tensor, summary });
                }
            }
        });
        Ok(())
    })?;
    let end = match fault {
        Some(fault) => fault.sentence(training),
        None => format!("every tensor is finite at step {} (epoch {})", step + 1, training.epoch_of(step + 1)),
    };
    Ok(Replayed(format!("{}\n{end}", lines.join("\n"))))
}
