//! Leaves libtorch's folder in binaries and tests, and its part for GPUs where it has one, as `stages/build.rs` does.

fn main() {
    let lib =
        std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys is a direct dependency and says where libtorch is");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    if std::path::Path::new(&lib).join("libtorch_cuda.so").exists() {
        for bench in ["engine", "gpu"] {
            println!("cargo:rustc-link-arg-bin=pretext-bench-{bench}=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
        }
    }
}
