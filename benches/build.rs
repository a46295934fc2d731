//! Leaves libtorch's folder in the binary, and its part for GPUs where it has one, as `stages/build.rs` does.

fn main() {
    let lib =
        std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys is a direct dependency and says where libtorch is");
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{lib}");
    if std::path::Path::new(&lib).join("libtorch_cuda.so").exists() {
        println!("cargo:rustc-link-arg-bin=pretext-bench-engine=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
    }
}
