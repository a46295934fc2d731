//! Gives `pretext` an id of its build.

include!("protocol/build_id.rs");

fn main() {
    tell_build_id(&["src", "protocol/src", "../Cargo.lock"]);
}
