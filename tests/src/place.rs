use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder with recipes and the programs that they name, and no user configuration but its own.
pub struct Place {
    folder: TempDir,
    worker: PathBuf,
}

impl Place {
    /// `worker`: the path of the fake worker, which only a test's own crate is told.
    pub fn new(worker: &str) -> Self {
        Self { folder: TempDir::new().expect("there is room for temporary files"), worker: worker.into() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Has another program compute the stages.
    pub fn with_worker(mut self, worker: PathBuf) -> Self {
        self.worker = worker;
        self
    }

    pub fn write(&self, name: &str, text: &str) {
        let place = self.path().join(name);
        fs::create_dir_all(place.parent().expect("it is in a folder")).expect("the folder can be made");
        fs::write(place, text).expect("the file can be written");
    }

    pub fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// `pretext`, to be started here.
    pub fn command(&self, words: &[&str]) -> Command {
        let programs = std::env::current_exe().expect("this test is a program");
        let programs = programs.ancestors().nth(2).expect("tests lie in a folder beside the programs");
        let mut command = Command::new(programs.join("pretext"));
        command.args(words).current_dir(self.path()).env("PRETEXT_WORKER", &self.worker);
        command.env_remove("PRETEXT_STORE").env_remove("PRETEXT_LOG");
        command.env("XDG_CONFIG_HOME", self.path().join("config")).env("XDG_CACHE_HOME", self.path().join("cache"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What it did, wrote and complained of.
    pub fn ran(&self, words: &[&str]) -> (Output, String, String) {
        let output = self.command(words).output().expect("pretext can be started");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).expect("pretext writes UTF-8");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        (output, out, err)
    }

    /// What it wrote, and that it did not fail.
    pub fn out(&self, words: &[&str]) -> String {
        let (output, out, err) = self.ran(words);
        assert!(output.status.success(), "{words:?}: {err}");
        out
    }

    /// The text of a file in a stage's only artifact.
    pub fn artifact(&self, recipe: &str, stage: &str, file: &str) -> String {
        let folder = self.out(&["path", recipe, stage]);
        fs::read_to_string(Path::new(folder.trim_end()).join(file)).expect("the artifact has the file")
    }
}
