//! `pretext-bench-engine [NAME] [--json]`: measures ours and PyTorch's training speed interleaved, prints a table, and with
//! `--json` one object of figures. NAME: only the figures that begin so. Started by `cargo xtask bench engine`, which
//! prepares PyTorch.

mod classifier;
mod knn;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().find(|argument| !argument.starts_with("--")).map_or("", String::as_str);
    let mut figures = classifier::run(only)?;
    figures.extend(knn::run(only, 2)?);
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", serde_json::Value::Object(figures));
    }
    Ok(())
}
