//! `pretext-benches NAME [--json]`: measures ours and the peers' interleaved, prints a table, and with `--json` one
//! object of figures. Started by `cargo xtask bench`, which prepares the peers.

mod engine;
mod peer;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let figures = match arguments.first().map(String::as_str) {
        Some("engine") => engine::run()?,
        other => bail!("unknown bench {other:?}; there is: engine"),
    };
    if json {
        println!("{}", serde_json::Value::Object(figures));
    }
    Ok(())
}
