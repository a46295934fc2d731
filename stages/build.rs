//! Builds the C++ shim and leaves libtorch's folder in the binaries, so that no LD_LIBRARY_PATH is needed.
use std::path::Path;

fn main() {
    let lib =
        std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys is a direct dependency and says where libtorch is");
    let include = Path::new(&lib).parent().expect("lib/ has a parent").join("include");
    let shim = "src/nn/ops/shim.cpp";
    println!("cargo:rerun-if-changed={shim}");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    if Path::new(shim).exists() {
        cc::Build::new()
            .cpp(true)
            .pic(true)
            .warnings(false)
            .opt_level(2)
            .std("c++17")
            .define("_GLIBCXX_USE_CXX11_ABI", "1")
            .include(&include)
            .include(include.join("torch/csrc/api/include"))
            .file(shim)
            .compile("pretext_shim");
    }
}
