//! Leaves libtorch's folder in the binary, as `stages/build.rs` does.

fn main() {
    let lib =
        std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys is a direct dependency and says where libtorch is");
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{lib}");
}
