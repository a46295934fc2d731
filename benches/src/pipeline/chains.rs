//! Chains of ten trivial stages.

use std::fmt::Write;

/// Stages of a chain.
pub const LENGTH: usize = 10;

/// So many chains, side by side.
#[derive(Debug, Clone, Copy)]
pub struct Chains {
    pub chains: usize,
    /// What the last stage of each adds: the parameter that is edited.
    pub last_plus: usize,
}

impl Chains {
    pub fn stages(&self) -> usize {
        self.chains * LENGTH
    }

    /// The first number of each chain. They lie so far apart that no two stages have the same input: else `pretext` would
    /// compute one for both.
    pub fn starts(&self) -> impl Iterator<Item = usize> {
        (1..=self.chains).map(|chain| chain * 1000)
    }

    /// As a recipe of `pretext`, on the tests' fake worker.
    pub fn recipe(&self) -> String {
        let starts: Vec<String> = self.starts().map(|start| start.to_string()).collect();
        let mut text = format!("name: chains-{}\naxes:\n  chain: [{}]\nstages:\n", self.chains, starts.join(", "));
        text += "  s0: { use: fake/source, with: { value: $(chain) } }\n";
        for stage in 1..LENGTH {
            let plus = if stage == LENGTH - 1 { self.last_plus } else { stage };
            let before = stage - 1;
            let _ =
                writeln!(text, "  s{stage}: {{ use: fake/add, needs: {{ a: s{before} }}, with: {{ plus: {plus} }} }}");
        }
        text
    }

    /// As rules of Snakemake.
    pub fn snakefile(&self) -> String {
        let last = LENGTH - 1;
        let mut text = format!("CHAINS = [chain * 1000 for chain in range(1, {})]\n", self.chains + 1);
        let _ = writeln!(text, "rule all:\n    input: expand('s{last}/{{chain}}.txt', chain=CHAINS)");
        text += "rule s0:\n    output: 's0/{chain}.txt'\n    shell: 'echo {wildcards.chain} > {output}'\n";
        for stage in 1..LENGTH {
            let before = stage - 1;
            let _ = writeln!(
                text,
                "rule s{stage}:\n    input: 's{before}/{{chain}}.txt'\n    output: 's{stage}/{{chain}}.txt'\n    \
                 shell: 'cat {{input}} > {{output}}'"
            );
        }
        text
    }

    /// As stages of DVC.
    pub fn dvc_yaml(&self) -> String {
        let starts: Vec<String> = self.starts().map(|start| start.to_string()).collect();
        let mut text = String::from("stages:\n");
        for stage in 0..LENGTH {
            let file = |stage: usize| format!("s{stage}/${{item.chain}}.txt");
            let out = file(stage);
            let _ = writeln!(text, "  s{stage}:\n    matrix:\n      chain: [{}]", starts.join(", "));
            let _ = match stage.checked_sub(1).map(file) {
                None => writeln!(text, "    cmd: echo ${{item.chain}} > {out}"),
                Some(before) => writeln!(text, "    cmd: cat {before} > {out}\n    deps: ['{before}']"),
            };
            let _ = writeln!(text, "    outs: ['{out}']");
        }
        text
    }
}
