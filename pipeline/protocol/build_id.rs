// Included by the build scripts of both programs: an id made from the sources, so that a result tells which build made it.

use std::path::{Path, PathBuf};

/// Hands the crate `PRETEXT_BUILD`, of all that lies in these folders and files.
fn tell_build_id(sources: &[&str]) {
    let mut files = vec![];
    for source in sources {
        println!("cargo:rerun-if-changed={source}");
        collect(Path::new(source), &mut files);
    }
    files.sort();
    // FNV-1a: it tells builds apart and protects nothing.
    let mut id = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        let text = std::fs::read(&file).unwrap_or_default();
        for byte in file.to_string_lossy().bytes().chain(text) {
            id = (id ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    println!("cargo:rustc-env=PRETEXT_BUILD={id:016x}");
}

fn collect(place: &Path, files: &mut Vec<PathBuf>) {
    match std::fs::read_dir(place) {
        Ok(entries) => entries.flatten().for_each(|entry| collect(&entry.path(), files)),
        Err(_) => files.push(place.to_owned()),
    }
}
