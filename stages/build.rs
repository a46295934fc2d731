//! Builds the C++ shim and leaves libtorch's folder in the binaries, so that no LD_LIBRARY_PATH is needed.

include!("../pipeline/protocol/build_id.rs");

fn main() {
    tell_build_id(&["src", "../pipeline/protocol/src", "../Cargo.lock"]);
    let lib =
        std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys is a direct dependency and says where libtorch is");
    let include = Path::new(&lib).parent().expect("lib/ has a parent").join("include");
    let shim = "src/nn/ops/shim.cpp";
    println!("cargo:rerun-if-changed={shim}");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    link_cuda(Path::new(&lib));
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

/// libtorch finds a GPU where its part for it was loaded, and nothing in our code names a symbol of that part: without a
/// word to the linker it would be left out. Kinds say by the `cuda` configuration whether they can use one.
fn link_cuda(lib: &Path) {
    println!("cargo:rustc-check-cfg=cfg(cuda)");
    if lib.join("libtorch_cuda.so").exists() {
        println!("cargo:rustc-cfg=cuda");
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
    }
}
