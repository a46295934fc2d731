//! `pretext-worker`: started by `pretext`, speaks its protocol on standard input and output.
//! `pretext-worker replay FOLDER` runs a step again in which something was not finite.

use pretext_stages::{nn, worker};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {
            nn::ops::tune_allocator();
            worker::serve()
        }
        ["--version"] => {
            println!("pretext-worker {}", pretext_stages::BUILD);
            Ok(())
        }
        ["replay", folder] => {
            println!("{}", worker::replay(Path::new(folder))?);
            Ok(())
        }
        _ => anyhow::bail!("expected nothing, `--version`, or `replay FOLDER`"),
    }
}
