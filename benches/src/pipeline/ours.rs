//! `pretext` as a person would call it, with the tests' fake worker. Nothing is assumed about what is in a store.

use crate::chains::Chains;
use crate::child::{Measured, measure};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, and the store that it works on.
pub struct Pretext {
    programs: PathBuf,
    folder: PathBuf,
    store: PathBuf,
}

/// The first line of a plan.
#[derive(Debug, PartialEq)]
pub struct Counts {
    pub hit: usize,
    pub to_run: usize,
    pub open: usize,
}

impl Pretext {
    /// `folder`: where it is called, and where recipes are put.
    pub fn new(programs: &Path, folder: &Path, store: &Path) -> Self {
        Self { programs: programs.to_owned(), folder: folder.to_owned(), store: store.to_owned() }
    }

    pub fn version(&self) -> Result<Measured> {
        measure(Command::new(self.programs.join("pretext")).arg("--version"))
    }

    /// Computes what the store lacks.
    pub fn run(&self, chains: &Chains) -> Result<Measured> {
        let measured = self.call("run", chains)?;
        self.expect(chains, Counts { hit: chains.stages(), to_run: 0, open: 0 })?;
        Ok(measured)
    }

    /// The same when everything is there.
    pub fn run_again(&self, chains: &Chains) -> Result<Measured> {
        self.expect(chains, Counts { hit: chains.stages(), to_run: 0, open: 0 })?;
        self.call("run", chains)
    }

    pub fn plan(&self, chains: &Chains) -> Result<(Measured, Counts)> {
        let measured = self.call("plan", chains)?;
        let counts = Counts::read(&measured.text)?;
        Ok((measured, counts))
    }

    /// The plan after the last stage's parameter was edited.
    pub fn plan_edit(&self, edited: &Chains) -> Result<Measured> {
        let (measured, counts) = self.plan(edited)?;
        let expected = Counts { hit: edited.stages() - edited.chains, to_run: edited.chains, open: 0 };
        ensure!(counts == expected, "the plan is {counts:?}, and {expected:?} was expected");
        Ok(measured)
    }

    fn expect(&self, chains: &Chains, expected: Counts) -> Result<()> {
        let (_, counts) = self.plan(chains)?;
        ensure!(counts == expected, "the plan is {counts:?}, and {expected:?} was expected");
        Ok(())
    }

    fn call(&self, word: &str, chains: &Chains) -> Result<Measured> {
        let recipe = self.folder.join(format!("chains-{}.yaml", chains.chains));
        std::fs::write(&recipe, chains.recipe()).with_context(|| format!("cannot write {}", recipe.display()))?;
        let mut command = Command::new(self.programs.join("pretext"));
        command.arg(word).arg(&recipe).arg("--worker").arg(self.programs.join("fake-worker"));
        measure(command.arg("--store").arg(&self.store).current_dir(&self.folder))
    }
}

impl Counts {
    /// `chains-100: 1,000 stages · 900 hit, 100 to run, 0 open`
    fn read(plan: &str) -> Result<Self> {
        let line = plan.lines().next().unwrap_or_default();
        let before = |word: &str| {
            let number = line.split(word).next().and_then(|before| before.rsplit(' ').next());
            let number = number.and_then(|number| number.replace(',', "").parse().ok());
            number.with_context(|| format!("no number stands before `{word}` in the plan's first line: {line}"))
        };
        Ok(Self { hit: before(" hit")?, to_run: before(" to run")?, open: before(" open")? })
    }
}
