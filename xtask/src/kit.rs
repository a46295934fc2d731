//! `cargo xtask gpu --kit FOLDER`: what a machine with a GPU runs that has neither cargo nor network, but a Python with PyTorch,
//! whose libtorch the programs use.

use crate::libtorch::{self, KIT_VERSION};
use crate::shell::{cargo, command, output, run};
use crate::{binary, build, root};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MEGABYTES_AT_MOST: u64 = 45;
const BINARIES: [&str; 3] = ["pretext", "pretext-worker", "pretext-bench-gpu"];
/// Test programs as cargo names them, before a dash and a hash, and as the kit does.
const TESTS: [(&str, &str); 2] = [("golden", "golden"), ("pretext_stages", "operations")];
/// CIFAR-10 as the cache of `data/cifar10` has it: a label of a byte for each image, and then those, of 32 x 32 x 3 bytes.
const IMAGES: usize = 60_000;
const IMAGE_BYTES: usize = 32 * 32 * 3;
/// Of the first images, so many of each class: what `kit.yaml` trains on and validates by.
const OF_EACH_CLASS: usize = 550;

/// The programs of a kit by their names in it.
pub type Programs = Vec<(&'static str, PathBuf)>;

/// Builds for the libtorch of [`KIT_VERSION`], beside what is built for this machine, and packs.
pub fn pack(folder: &Path) -> Result<(), String> {
    let libtorch = libtorch::for_kit()?;
    let target = root().join("target/kit/build");
    println!("building for libtorch {KIT_VERSION}: about 6 minutes the first time, on 2 cores");
    let build = |arguments: &[&str]| {
        let mut build = cargo(arguments);
        build.env("LIBTORCH", &libtorch).env("LIBTORCH_BYPASS_VERSION_CHECK", "1").env("CARGO_TARGET_DIR", &target);
        build
    };
    run(build(&["build", "--release", "--workspace"]).args(BINARIES.iter().flat_map(|name| ["--bin", name])))?;
    let mut programs: Programs = BINARIES.iter().map(|&name| (name, target.join("release").join(name))).collect();
    programs.extend(test_programs(build(&TEST_BUILD))?);
    // What fills the store runs here.
    build::binaries()?;
    assemble(folder, &programs, KIT_VERSION)?;
    let packed = compress(folder)?;
    let megabytes = fs::metadata(&packed).map_err(|e| format!("{}: {e}", packed.display()))?.len() as f64 / 1e6;
    if megabytes > MEGABYTES_AT_MOST as f64 {
        return Err(format!("{} has {megabytes:.1} MB, and {MEGABYTES_AT_MOST} are allowed", packed.display()));
    }
    println!("{} ({megabytes:.1} MB). On the machine:", packed.display());
    println!("  tar xf {0}.tar.xz && {0}/run.sh", folder.file_name().unwrap_or_default().display());
    Ok(())
}

/// Those that are built for this machine's libtorch.
pub fn own_programs() -> Result<Programs, String> {
    let mut programs: Programs = BINARIES.iter().map(|&name| (name, binary(name))).collect();
    programs.extend(test_programs(cargo(&TEST_BUILD))?);
    Ok(programs)
}

/// All libraries' tests, for one of them: cargo selects no package without resolving other features.
const TEST_BUILD: [&str; 7] =
    ["test", "--no-run", "--release", "--workspace", "--lib", "--test=golden", "--message-format=json"];

fn test_programs(mut build: Command) -> Result<Programs, String> {
    let output = build.stderr(Stdio::inherit()).output().map_err(|e| format!("cannot start cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo could not build the tests ({})", output.status));
    }
    let found = executables(&String::from_utf8_lossy(&output.stdout));
    let find = |name: &str| found.iter().find(|path| without_hash(path) == name).cloned();
    TESTS.iter().map(|&(name, as_)| Ok((as_, find(name).ok_or(format!("cargo built no tests of {name}"))?))).collect()
}

/// The programs that cargo's messages, one of JSON a line, name.
fn executables(messages: &str) -> Vec<PathBuf> {
    let executable = |line: &str| Some(line.split_once(r#""executable":""#)?.1.split_once('"')?.0.into());
    messages.lines().filter_map(executable).collect()
}

fn without_hash(program: &Path) -> &str {
    let name = program.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}

/// Puts everything into a folder, in place of an earlier kit.
pub fn assemble(folder: &Path, programs: &Programs, libtorch: &str) -> Result<(), String> {
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty && !folder.join("kit.yaml").exists() {
        return Err(format!("{} holds files and is no kit: name a new folder", folder.display()));
    }
    println!("putting the kit into {}", folder.display());
    let failed = |e: std::io::Error| format!("cannot write {}: {e}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::create_dir_all(folder.join("bin")).map_err(failed)?;
    for (name, program) in programs {
        let to = folder.join("bin").join(name);
        run(command("strip", &["-o"]).arg(&to).arg(program))?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    copy(&root().join("benches/kit"), folder, &["run.sh", "kit.yaml"]).map_err(failed)?;
    copy(&root().join("benches/peers"), &folder.join("peers"), &["gpu.py", "networks.py"]).map_err(failed)?;
    let golden = root().join("tests/golden");
    let names: Vec<_> = fs::read_dir(&golden).map_err(failed)?.flatten().map(|entry| entry.file_name()).collect();
    copy(&golden, &folder.join("golden"), &names).map_err(failed)?;
    fs::write(folder.join("libtorch"), format!("{libtorch}\n")).map_err(failed)?;
    let commit = output("git", &["describe", "--always", "--dirty"]).unwrap_or_else(|| "unknown sources".into());
    fs::write(folder.join("made-of"), format!("{commit}\n")).map_err(failed)?;
    write_pictures(&folder.join("pictures"), &cifar10()?).map_err(failed)?;
    // Whatever the libtorch, the data sets are found there.
    let recipe = folder.join("kit.yaml");
    let store = folder.join("store");
    let compute = |stages: &[&str]| {
        let mut pretext = command(&binary("pretext").to_string_lossy(), &["run"]);
        pretext.args(stages.iter().flat_map(|stage| ["--only", stage])).arg(&recipe);
        run(pretext.arg("--store").arg(&store).arg("--out").arg(folder.join("out")))
    };
    compute(&["photos", "few"])?;
    // Scenes are made of what is fetched here, and not taken along.
    let cache = store.join("cache");
    if cache.exists() {
        fs::remove_dir(&cache).map_err(failed)?;
    }
    symlink(root().join(".pretext/cache"), &cache).map_err(failed)?;
    let made = compute(&["scenes"]);
    fs::remove_file(cache).map_err(failed)?;
    made
}

fn copy(from: &Path, to: &Path, names: &[impl AsRef<OsStr>]) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    names.iter().map(AsRef::as_ref).try_for_each(|name| fs::copy(from.join(name), to.join(name)).map(drop))
}

/// The decoded data set, which the data stage fetches where it has not.
fn cifar10() -> Result<Vec<u8>, String> {
    let file = root().join(".pretext/cache/cifar10/cifar10.bin");
    if !file.exists() {
        let arguments =
            ["run", "recipes/quickstart.yaml", "--only", "photos", "--force", "photos", "--store", ".pretext"];
        run(&mut command(&binary("pretext").to_string_lossy(), &arguments))?;
    }
    let bytes = fs::read(&file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    if bytes.len() != IMAGES * (1 + IMAGE_BYTES) {
        return Err(format!("{} has {} bytes: remove it", file.display(), bytes.len()));
    }
    Ok(bytes)
}

/// A folder for each class, with the first of its pictures as PPM: all of CIFAR-10's test images would be 30 MB.
fn write_pictures(folder: &Path, cifar10: &[u8]) -> std::io::Result<()> {
    let (labels, images) = cifar10.split_at(IMAGES);
    let mut written = [0; 10];
    for (&label, image) in labels.iter().zip(images.chunks_exact(IMAGE_BYTES)) {
        let count = &mut written[usize::from(label)];
        if *count < OF_EACH_CLASS {
            let class = folder.join(format!("class-{label}"));
            fs::create_dir_all(&class)?;
            fs::write(class.join(format!("{count:03}.ppm")), [b"P6\n32 32\n255\n", image].concat())?;
            *count += 1;
        }
    }
    Ok(())
}

/// Programs that are alike come one after the other, and pictures beside the store that has them too.
fn compress(folder: &Path) -> Result<PathBuf, String> {
    let packed = PathBuf::from(format!("{}.tar.xz", folder.display()));
    let name = folder.file_name().ok_or(format!("--kit {}: a folder with a name", folder.display()))?;
    let mut tar = command("tar", &["--create", "--xz", "--sort=name", "--owner=0", "--group=0", "--file"]);
    tar.arg(&packed).arg("--directory").arg(folder.parent().unwrap_or(Path::new("/"))).arg(name);
    run(tar.env("XZ_OPT", "-9"))?;
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_messages_name_the_test_programs() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null,"fresh":true}
{"reason":"compiler-artifact","target":{"name":"golden"},"executable":"/t/release/deps/golden-0a1b","fresh":true}
{"reason":"compiler-artifact","target":{"name":"pretext_stages"},"executable":"/t/release/deps/pretext_stages-2c","fresh":true}
{"reason":"build-finished","success":true}"#;
        let found = executables(messages);
        assert_eq!(found.iter().map(|path| without_hash(path)).collect::<Vec<_>>(), ["golden", "pretext_stages"]);
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("pretext-no-kit-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("thesis.tex"), "").unwrap();
        let error = assemble(&folder, &vec![], "2.11").unwrap_err();
        assert!(error.ends_with("holds files and is no kit: name a new folder"), "{error}");
        assert!(folder.join("thesis.tex").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn pictures_are_the_first_of_each_class() {
        let folder = std::env::temp_dir().join(format!("pretext-pictures-{}", std::process::id()));
        let mut cifar10 = vec![0; IMAGES * (1 + IMAGE_BYTES)];
        (0..IMAGES).for_each(|image| cifar10[image] = (image % 10) as u8);
        // The second image of class 3.
        cifar10[IMAGES + 13 * IMAGE_BYTES] = 200;
        write_pictures(&folder, &cifar10).unwrap();
        let of = |class: &str| fs::read_dir(folder.join(class)).unwrap().count();
        assert_eq!([of("class-0"), of("class-9")], [OF_EACH_CLASS; 2]);
        let picture = fs::read(folder.join("class-3/001.ppm")).unwrap();
        assert!(picture.starts_with(b"P6\n32 32\n255\n\xc8\0\0") && picture.len() == 13 + IMAGE_BYTES);
        fs::remove_dir_all(folder).unwrap();
    }
}
