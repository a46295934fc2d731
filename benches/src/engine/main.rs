//! `pretext-bench-engine [--json]`: measures ours and PyTorch's training speed interleaved, prints a table, and with
//! `--json` one object of figures. Started by `cargo xtask bench engine`, which prepares PyTorch.

mod classifier;

fn main() -> anyhow::Result<()> {
    let figures = classifier::run()?;
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", serde_json::Value::Object(figures));
    }
    Ok(())
}
