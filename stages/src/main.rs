//! `pretext-worker`: started by `pretext`, speaks its protocol on standard input and output.

fn main() -> anyhow::Result<()> {
    if std::env::args().any(|argument| argument == "--version") {
        println!("pretext-worker {}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    pretext_stages::nn::ops::tune_allocator();
    pretext_stages::worker::serve()
}
