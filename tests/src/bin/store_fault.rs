//! `store-fault STORE ACT STEP`: has a store do something, and is killed before the given step of it.

use anyhow::{Context, Result, bail};
use pretext::store::fault::{Fault, arm};
use pretext_tests::Act;
use std::path::Path;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, act, step] = arguments.as_slice() else { bail!("usage: store-fault STORE ACT STEP") };
    let act = Act::named(act).with_context(|| format!("there is no act {act}"))?;
    arm(step.parse()?, Fault::Kill);
    act.perform(Path::new(store))?;
    Ok(())
}
