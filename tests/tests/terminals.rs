//! What is seen on terminals: plain lines where nothing else can be shown, colours where they are wanted, and nothing of what
//! programs and recipes say that would steer the terminal.

use pretext_tests::in_terminal;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new(recipe: &str) -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::write(place.0.path().join("recipe.yaml"), recipe).unwrap();
        place
    }

    /// `environment`: of the variables that say what a terminal can do, these and no others.
    fn command(&self, words: &[&str], environment: &[(&str, &str)]) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_fake-worker")).parent().unwrap();
        let mut command = Command::new(programs.join("pretext"));
        command.args(words).current_dir(self.0.path()).env("PRETEXT_WORKER", env!("CARGO_BIN_EXE_fake-worker"));
        for name in ["PRETEXT_STORE", "PRETEXT_LOG", "TERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied()).env("XDG_CONFIG_HOME", self.0.path().join("config"));
        command
    }

    /// What a terminal is given.
    fn shown(&self, words: &[&str], environment: &[(&str, &str)]) -> String {
        in_terminal(&mut self.command(words, environment)).1.replace("\r\n", "\n")
    }

    /// What comes out where there is no terminal.
    fn said(&self, words: &[&str]) -> (String, String) {
        let Output { stdout, stderr, .. } = self.command(words, &[]).output().unwrap();
        (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

fn steers(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && c != '\n' || ['\u{202e}', '\u{2066}'].contains(&c))
}

const CAPABLE: &[(&str, &str)] = &[("TERM", "xterm")];
const DUMB: &[(&str, &str)] = &[("TERM", "dumb")];

#[test]
fn a_terminal_that_draws_nothing_has_plain_lines() {
    let recipe = "name: lines\nstages:\n  good: { use: fake/source }\n  bad: { use: fake/fail }\n";
    for environment in [DUMB, &[], &[("TERM", "")]] {
        let place = Place::new(recipe);
        let shown = place.shown(&["run", "recipe.yaml"], environment);
        assert!(!steers(&shown), "{shown}");
        for line in ["lines: 2 stages · 0 reused, 2 to run\n", "done in", "failed after", "loss became NaN at step 310"]
        {
            assert!(shown.contains(line), "{line} is missing: {shown}");
        }
        assert_eq!(shown.matches("loss became NaN").count(), 1, "a failure is told once: {shown}");
        let watched = place.shown(&["status", "--watch"], environment);
        assert!(watched.contains("1 computed, 0 reused, 1 failed") && !steers(&watched), "{watched}");
    }
    let drawn = Place::new(recipe).shown(&["run", "recipe.yaml"], CAPABLE);
    assert!(drawn.contains("\x1b[") && drawn.contains("loss became NaN"), "{drawn}");
}

#[test]
fn messages_have_colours_only_where_they_are_wanted() {
    let place = Place::new("name: faulty\nstages: { a: { use: fake/sourse } }\n");
    let plan: &[&str] = &["plan", "recipe.yaml"];
    for words in [plan, &["--help"], &["plan", "--no-such-option"]] {
        assert!(place.shown(words, CAPABLE).contains("\x1b["), "{words:?}");
        for environment in [DUMB, &[], &[("TERM", "xterm"), ("NO_COLOR", "1")]] {
            let shown = place.shown(words, environment);
            assert!(!steers(&shown) && shown.len() > 40, "{words:?}: {shown}");
        }
    }
    let with_empty = place.shown(plan, &[("TERM", "xterm"), ("NO_COLOR", "")]);
    assert!(with_empty.contains("\x1b["), "an empty variable asks for nothing");
}

/// A bar with carriage returns and colours, the error on its last line; a title, a cleared screen, other directions.
const BAR: &str = r#"for i in 1 2 3; do printf '\r\033[32mepoch %s/3\033[0m' $i >&2; done; printf '\033]0;title\007\033[2J |##| \033[31mRuntimeError: \342\200\256out of memory\033[0m' >&2; exit 1"#;

#[test]
fn what_a_program_prints_is_shown_as_it_ended_up_without_its_escapes() {
    let place = Place::new(&format!(
        "name: bars\nstages:\n  bar:\n    use: tool/command\n    with:\n      outputs: {{ x: text }}\n      run: |\n        {BAR}\n"
    ));
    let run: &[&str] = &["run", "recipe.yaml", "--allow-commands"];
    let (_, err) = place.said(run);
    assert!(err.contains("\n        epoch 3/3 |##| RuntimeError: out of memory\n") && !steers(&err), "{err}");
    let shown = place.shown(run, DUMB);
    assert!(shown.contains("epoch 3/3 |##| RuntimeError: out of memory") && !steers(&shown), "{shown}");

    let (raw, _) = place.said(&["logs", "bar"]);
    assert!(raw.contains("\r\x1b[32mepoch 2/3\x1b[0m") && raw.contains("\x1b[2J"), "a pipe gets the bytes: {raw:?}");
    let shown = place.shown(&["logs", "bar"], CAPABLE);
    assert!(shown.contains("epoch 3/3 |##| RuntimeError: out of memory\n") && !steers(&shown), "{shown:?}");
    let events = fs::read_dir(place.0.path().join(".pretext/runs")).unwrap().map(|run| run.unwrap().path());
    let events: String = events.map(|run| fs::read_to_string(run.join("events.jsonl")).unwrap()).collect();
    assert!(events.contains("RuntimeError: out of memory") && !events.contains("u001b"), "{events}");
}

#[test]
fn nothing_of_a_command_is_hidden_from_who_is_to_allow_it() {
    let place = Place::new(
        "name: sly\naxes: { what: [one, two] }\nworkers: { w: { command: [python3, \"a\\e[1A.py\"], kinds: [my/kind] } }\nstages:\n  \
         a: { use: tool/command, with: { run: \"rm -rf ~ \\e[2K\\recho hello \\u202E$(what)\\n\\tls\" } }\n  \
         b: { use: my/kind }\n",
    );
    for shown in [place.said(&["run", "recipe.yaml"]).1, place.shown(&["run", "recipe.yaml"], CAPABLE)] {
        for line in [
            "\n    worker `w`: python3 a\\x1b[1A.py\n",
            "\n    stage `a`: rm -rf ~ \\x1b[2K\\recho hello \\u{202e}one\n        \\tls\n",
            "\n    stage `a`: rm -rf ~ \\x1b[2K\\recho hello \\u{202e}two\n",
        ] {
            assert!(shown.contains(line), "{line} is missing: {shown}");
        }
        assert!(!steers(&shown), "{shown}");
    }
}

#[test]
fn what_a_recipe_says_is_shown_harmlessly() {
    let faulty = "name: faulty\nstages: { a: { use: \"fake/\\e[2Ksource\u{202e}\u{9b}1A\" } } # \u{9b}2K\n";
    let place = Place::new(faulty);
    let (_, err) = place.said(&["plan", "recipe.yaml"]);
    assert!(err.contains("there is no kind `fake/\\x1b[2Ksource\\u{202e}\\u{9b}1A`") && !steers(&err), "{err}");
    let coloured = place.shown(&["plan", "recipe.yaml"], CAPABLE);
    assert!(!steers(&coloured.replace("\x1b[", "")), "{coloured:?}");

    let label = Place::new(
        "name: label\naxes: { v: [\"a\\u202Eb\"] }\nstages: { a: { use: fake/source, with: { value: $(v) } } }\n",
    );
    let (_, err) = label.said(&["plan", "recipe.yaml"]);
    assert!(
        err.contains("axis `v` has the value `a\\u{202e}b`, which the names of nodes cannot hold") && !steers(&err),
        "{err}"
    );
}

/// Notes, measurements' tables and status come from a worker that means no good.
#[test]
fn what_a_worker_says_is_shown_harmlessly() {
    let place = Place::new(
        "name: notes\nworkers: { mine: { command: [python3, worker.py], kinds: [my/kind] } }\nstages:\n  a: { use: my/kind }\n  \
         b: { use: my/kind, with: { fails: true } }\ntables: { t: { title: \"a\\e[2Jtitle\", from: a, value: good, rows: v } }\n"
            .replace("stages:", "axes: { v: [1] }\nstages:")
            .replace("a: { use: my/kind }", "a: { use: my/kind, with: { size: $(v) } }")
            .as_str(),
    );
    fs::write(place.0.path().join("worker.py"), WORKER).unwrap();
    let run: &[&str] = &["run", "recipe.yaml", "--allow-commands"];
    let (out, err) = place.said(run);
    assert!(err.contains("\n    a note in red\n") && err.contains("broken in red"), "{err}");
    assert!(out.contains("atitle: good") && !steers(&out) && !steers(&err), "{out}{err}");
    for words in [&["show", "recipe.yaml", "a", "--allow-commands"][..], &["status", "last"], run] {
        let shown = place.shown(words, DUMB);
        assert!(!steers(&shown), "{words:?}: {shown}");
    }
    let page = fs::read_to_string(place.0.path().join("out/notes/t.md")).unwrap();
    assert!(page.starts_with("# atitle\n") && !steers(&page), "{page}");
}

const WORKER: &str = r#"
import json, os, sys
red = "\x1b[31m in red\x1b[0m\x07"
def say(kind, **fields): print(json.dumps({"type": kind, **fields}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    kind = request["type"]
    if kind == "hello": say("hello", protocol=request["protocol"], worker="mine" + red, version="1")
    elif kind == "describe": say("catalogue", numerics="", kinds=[{
        "name": "my/kind", "version": 1, "summary": "sly" + red, "needs": [], "gives": [],
        "params": {"type": "object", "properties": {"fails": {"type": "boolean", "default": False},
                                                    "size": {"type": "integer", "default": 0}}},
        "measures": [{"name": "good", "splits": [], "unit": "", "setting": False, "doc": red}]}])
    elif kind == "run":
        number = request["id"]
        say("progress", id=number, phase="train" + red, done=1, total=2, unit="im\x1b[2Jages", rate=1.0, values={"lo\rss": 1.0})
        if request["params"]["fails"]: say("failed", id=number, error="broken" + red); continue
        say("note", id=number, text="a note" + red)
        say("measure", id=number, name="good", split="", value=-0.0)
        say("done", id=number, cost={})
    else: break
"#;
