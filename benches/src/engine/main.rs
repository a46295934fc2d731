//! `pretext-bench-engine [--json]`: measures ours and PyTorch's training speed interleaved, prints a table, and with
//! `--json` one object of figures. Started by `cargo xtask bench engine`, which prepares PyTorch.

mod classifier;
mod knn;
mod peer;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().find(|argument| !argument.starts_with("--")).map_or("", String::as_str);
    let mut figures = if only.is_empty() { classifier::run()? } else { serde_json::Map::new() };
    figures.extend(knn::run(only, 2)?);
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", serde_json::Value::Object(figures));
    }
    Ok(())
}
