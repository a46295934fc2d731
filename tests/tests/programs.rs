//! Programs that a recipe names: a worker in Python, and shell commands. None is started before a person has allowed it.

use pretext_tests::{is_running, signal, wait_until};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const RECIPE: &str = "
name: programs
axes: { times: [1, 2] }
workers:
  mine: { command: [python3, square.py], kinds: [mine/square], code: [square.py] }
stages:
  number: { use: fake/source, with: { value: 3 } }
  square: { use: mine/square, needs: { number: number }, with: { times: $(times) } }
  line:
    use: tool/command
    needs: { square: square }
    with:
      run: |
        echo counting >&2
        cat $IN_square/value.txt > $OUT_text/line.txt
        sh ./measure.sh $IN_square/value.txt >> $MEASURES
        cp $OUT_text/line.txt $SIDE/copy.txt
      outputs: { text: text }
      measures: [length]
      code: [measure.sh]
tables:
  lengths: { from: line, rows: times, value: length }
";

const MEASURE: &str = r#"printf '{"name": "length", "value": %s}\n' $(tr -d '\n' < $1 | wc -c)"#;

/// A folder with a recipe and the programs that it names, and no user configuration but its own.
struct Place(TempDir);

impl Place {
    fn new(recipe: &str) -> Self {
        let place = Self(TempDir::new().unwrap());
        place.write("programs.yaml", recipe);
        place.write("measure.sh", MEASURE);
        place.write("square.py", include_str!("../foreign/square.py"));
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path().join(name).parent().unwrap()).unwrap();
        fs::write(self.path().join(name), text).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_fake-worker")).parent().unwrap();
        let mut command = Command::new(programs.join("pretext"));
        command.args(words).current_dir(self.path()).env("PRETEXT_WORKER", env!("CARGO_BIN_EXE_fake-worker"));
        command
            .env_remove("PRETEXT_STORE")
            .env_remove("PRETEXT_LOG")
            .env("XDG_CONFIG_HOME", self.path().join("config"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn ran(&self, words: &[&str]) -> (Output, String, String) {
        let output = self.command(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        (output, out, err)
    }

    fn out(&self, words: &[&str]) -> String {
        let (output, out, err) = self.ran(words);
        assert!(output.status.success(), "{words:?}: {err}");
        out
    }
}

#[test]
fn nothing_is_started_before_it_is_allowed() {
    let place = Place::new(RECIPE);
    place.write("square.py", "open('started', 'w')");
    let plan = place.out(&["plan", "programs.yaml"]);
    assert!(plan.starts_with("programs: 5 stages · 0 hit, 1 to run, 2 open"), "{plan}");
    assert!(plan.contains("unchecked square x2"), "{plan}");
    place.out(&["graph", "programs.yaml"]);
    let (output, _, err) = place.ran(&["run", "programs.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let config = place.path().join("config/pretext/config.yaml");
    assert_eq!(
        err,
        format!(
            "error: programs.yaml starts programs of its own, and nobody has allowed it:\n    \
             worker `mine`: python3 square.py\n    stage `line`: echo counting >&2\n        \
             cat $IN_square/value.txt > $OUT_text/line.txt\n        \
             sh ./measure.sh $IN_square/value.txt >> $MEASURES\n        cp $OUT_text/line.txt $SIDE/copy.txt\n\
             Read them; then say --allow-commands, or write `allow_commands: [FOLDER]` into {} for all recipes in a \
             folder. Nothing was run\n",
            config.display()
        )
    );
    assert!(!place.path().join("started").exists() && !place.path().join("out").exists());
}

#[test]
fn what_is_allowed_runs_and_its_code_counts() {
    let place = Place::new(RECIPE);
    place.out(&["run", "programs.yaml", "--allow-commands"]);
    let table = fs::read_to_string(place.path().join("out/programs/lengths.csv")).unwrap();
    assert_eq!(table, "times,line mean,line sd,line n\n1,1.0,,1\n2,2.0,,1\n");
    let folder = place.out(&["path", "programs.yaml", "line[times=2]", "text"]);
    assert_eq!(fs::read_to_string(Path::new(folder.trim_end()).join("line.txt")).unwrap(), "81\n");
    assert!(place.out(&["logs", "programs.yaml", "line[times=1]"]).contains("counting"));
    let plan = place.out(&["plan", "programs.yaml"]);
    assert!(plan.starts_with("programs: 5 stages · 5 hit"), "it said what it can do when it was allowed: {plan}");

    place.write("measure.sh", &format!("# a comment\n{MEASURE}"));
    let plan = place.out(&["plan", "programs.yaml"]);
    assert!(plan.contains("measure.sh changed"), "{plan}");
    place.write("config/pretext/config.yaml", &format!("allow_commands: [{}]", place.path().display()));
    let (_, _, err) = place.ran(&["run", "programs.yaml"]);
    assert!(err.contains("2 computed, 3 reused"), "allowed for good: {err}");
    place.write("config/pretext/config.yaml", "allow_comands: [/]");
    let (output, _, err) = place.ran(&["run", "programs.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("config.yaml should hold `allow_commands: [FOLDER]` and nothing else"), "{err}");
}

/// `--only` finds labels as they are written too, or as the one equal number.
#[test]
fn values_of_the_environment_and_of_axes_reach_a_command_as_they_were_written() {
    let recipe = "name: programs\nenv: { A: none, B: 3.10, C: none, D: none }\naxes: { rate: [1e-3, 0.10] }\nstages:\n  \
                  line: { use: tool/command, with: { outputs: { text: $(env.D) }, \
                  run: 'echo \"$(env.A)|$(env.B)|$(env.C)|$(rate)\" > $OUT_text/line.txt' } }\n";
    let place = Place::new(recipe);
    let run = |only: &str| {
        let mut command = place.command(&["run", "programs.yaml", "--allow-commands", "--only", only]);
        command.env("A", " 144e16 ").env("C", "").env("D", "007").output().unwrap()
    };
    for only in ["line[rate=1e-3]", "line[rate=.1]"] {
        assert!(run(only).status.success(), "{only}");
    }
    let read = |node: &str| {
        let mut command = place.command(&["path", "programs.yaml", node]);
        let folder = command.env("A", " 144e16 ").env("C", "").env("D", "007").output().unwrap().stdout;
        fs::read_to_string(Path::new(String::from_utf8(folder).unwrap().trim_end()).join("line.txt")).unwrap()
    };
    assert_eq!(read("line[rate=0.001]"), " 144e16 |3.10||1e-3\n");
    assert_eq!(read("line[rate=0.10]"), " 144e16 |3.10||0.10\n");
}

/// A recipe of one command.
fn command(run: &str, further: &str) -> String {
    format!(
        "name: programs\nstages:\n  line:\n    use: tool/command\n    with: {{ run: '{run}', outputs: {{ text: text }} }}\n{further}"
    )
}

#[test]
fn a_command_that_fails_or_takes_too_long_says_so() {
    let place = Place::new(&command("echo first; echo no such file >&2; exit 3", ""));
    let (output, _, err) = place.ran(&["run", "programs.yaml", "--allow-commands"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains(": the command ended with exit code 3 (log: pretext logs 'line')\n"), "{err}");
    assert!(err.contains("\n        first\n") && err.contains("\n        no such file\n"), "{err}");

    let place = Place::new(&command("sleep 60", "    timeout: 1s\n"));
    let (_, _, err) = place.ran(&["run", "programs.yaml", "--allow-commands"]);
    assert!(err.contains("it took longer than its `timeout` of 1.0 s and was ended"), "{err}");
}

/// Whatever its length, which the kernel limits for an argument.
#[test]
fn a_command_may_be_a_long_script_with_substitutions_of_the_shells_own() {
    for lines in [0, 3000] {
        let script = "        # a comment of some length, as there are many in a long script\n".repeat(lines);
        let run = format!(
            "|\n{script}        greeting=$$(echo hello | tr a-z A-Z)\n        false || code=$?\n        \
                           echo \"$greeting $$((code + $(two)))\" > $OUT_text/line.txt\n"
        );
        let recipe = format!(
            "name: programs\naxes: {{ two: [2] }}\nstages:\n  line:\n    use: tool/command\n    with:\n      \
                              outputs: {{ text: text }}\n      run: {run}"
        );
        let place = Place::new(&recipe);
        place.out(&["run", "programs.yaml", "--allow-commands"]);
        let folder = place.out(&["path", "programs.yaml", "line"]);
        let line = fs::read_to_string(Path::new(folder.trim_end()).join("line.txt")).unwrap();
        assert_eq!(line, "HELLO 3\n", "{lines} lines");
    }
}

/// What a command has started is ended with `pretext`, however that ends.
#[test]
fn nothing_of_a_command_outlives_pretext() {
    for (kill, wait) in [(libc::SIGKILL, "killed"), (libc::SIGINT, "interrupted")] {
        let place = Place::new(&command("sh -c \"echo \\$\\$ > pid; sleep 60\" & wait", ""));
        let mut pretext = place.command(&["run", "programs.yaml", "--allow-commands"]).spawn().unwrap();
        let pid = || fs::read_to_string(place.path().join("pid")).ok()?.trim().parse().ok();
        wait_until("the command's own child", || pid().is_some());
        assert!(is_running(pid().unwrap()));
        signal(pretext.id(), kill);
        pretext.wait().unwrap();
        wait_until(wait, || !is_running(pid().unwrap()));
    }
}

#[test]
fn a_worker_in_python_saves_its_state_and_goes_on() {
    let slow = RECIPE.replace("with: { times: $(times) }", "with: { times: $(times), seconds: 0.3 }");
    let place = Place::new(&slow.replace("times: [1, 2]", "times: [6]"));
    let pretext = place.command(&["run", "programs.yaml", "--allow-commands"]).spawn().unwrap();
    let attempts = place.path().join(".pretext/attempts");
    let saved = || {
        let keys = fs::read_dir(&attempts).into_iter().flatten().flatten();
        let folders = keys.flat_map(|key| fs::read_dir(key.path()).into_iter().flatten().flatten());
        folders.map(|folder| folder.path().join("scratch/checkpoint")).any(|checkpoint| checkpoint.exists())
    };
    wait_until("a checkpoint", saved);
    signal(pretext.id(), libc::SIGINT);
    let output = pretext.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("1 running stage saved its state; nothing is lost"), "{err}");
    let (_, _, err) = place.ran(&["run", "programs.yaml", "--allow-commands"]);
    assert!(err.contains("from a checkpoint"), "{err}");
    let folder = place.out(&["path", "programs.yaml", "square", "square"]);
    let number = fs::read_to_string(Path::new(folder.trim_end()).join("value.txt")).unwrap();
    assert_eq!(number, format!("{}\n", 3u128.pow(64)));
}
