//! Programs that a recipe names: a worker in Python, and shell commands. None is started before a person has allowed it.

use pretext_tests::{Place, children_of, is_running, signal, wait_until};
use std::fs;
use std::path::Path;

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

/// With a recipe and the programs that it names.
fn place_with(recipe: &str) -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_fake-worker"));
    place.write("programs.yaml", recipe);
    place.write("measure.sh", MEASURE);
    place.write("square.py", include_str!("../foreign/square.py"));
    place
}

#[test]
fn nothing_is_started_before_it_is_allowed() {
    let place = place_with(RECIPE);
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
    let place = place_with(RECIPE);
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
    let place = place_with(recipe);
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
    let place = place_with(&command("echo first; echo no such file >&2; exit 3", ""));
    let (output, _, err) = place.ran(&["run", "programs.yaml", "--allow-commands"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains(": the command ended with exit code 3 (log: pretext logs 'line')\n"), "{err}");
    assert!(err.contains("\n        first\n") && err.contains("\n        no such file\n"), "{err}");

    let place = place_with(&command("sleep 60", "    timeout: 1s\n"));
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
        let place = place_with(&recipe);
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
        let place = place_with(&command("sh -c \"echo \\$\\$ > pid; sleep 60\" & wait", ""));
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
    let place = place_with(&slow.replace("times: [1, 2]", "times: [6]"));
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

#[test]
fn a_command_is_done_when_it_has_ended_and_takes_with_it_what_it_left_behind() {
    // In a session of its own too, with the command's output open.
    let recipe = command(
        "(sleep 100 & echo $! > one); setsid sh -c \"sleep 100 & echo \\$! > two; wait\" & sleep 0.1; echo x > $OUT_text/x",
        "",
    );
    let place = place_with(&recipe);
    let began = std::time::Instant::now();
    place.out(&["run", "programs.yaml", "--allow-commands"]);
    assert!(began.elapsed().as_secs() < 50, "it waited for what the command had left behind");
    for file in ["one", "two"] {
        let process = fs::read_to_string(place.path().join(file)).unwrap().trim().parse().unwrap();
        assert!(!is_running(process), "{file}");
    }
}

#[test]
fn what_is_declared_must_be_there_and_a_failure_in_a_pipe_is_one() {
    let failed = |run: &str, further: &str| {
        let recipe = format!(
            "name: programs\nstages:\n  line:\n    use: tool/command\n    with: {{ run: '{run}', outputs: {{ text: text }}{further} }}\n"
        );
        let place = place_with(&recipe);
        let (output, _, err) = place.ran(&["run", "programs.yaml", "--allow-commands"]);
        assert_eq!(place.out(&["plan", "programs.yaml"]).contains("1 hit"), output.status.success(), "{err}");
        (output.status.code(), err)
    };
    let (code, err) = failed("echo nothing", "");
    assert!(code == Some(1) && err.contains("tool/command is done and its output `text` is empty"), "{err}");
    let (code, err) = failed("echo x > $OUT_text/x", ", measures: { accuracy: [validation, test] }");
    assert!(
        code == Some(1) && err.contains("never sent its measurement `accuracy` of the split `validation`"),
        "{err}"
    );
    let (code, err) = failed("sh -c \"exit 3\" | tee $OUT_text/x", "");
    assert!(code == Some(1) && err.contains("the command ended with exit code 3"), "{err}");
    let (code, err) = failed("echo $TYPO > $OUT_text/x", "");
    assert!(code == Some(1) && err.contains("TYPO: unbound variable"), "{err}");
    let (code, _) = failed("sh -c \"exit 3\" | tee $OUT_text/x; echo x > $OUT_text/x", ", shell: sh");
    assert_eq!(code, Some(0), "where the recipe says otherwise");
}

#[test]
fn a_command_saves_its_state_when_it_is_told_to_stop() {
    let run = "if test -n \"$RESUME\"; then cp \"$RESUME/n\" $OUT_text/n; exit; fi; \
               trap \"mkdir $SCRATCH/checkpoint; echo 7 > $SCRATCH/checkpoint/n; exit 1\" TERM; touch begun; \
               while true; do sleep 0.01; done";
    let place = place_with(&command(run, ""));
    let pretext = place.command(&["run", "programs.yaml", "--allow-commands"]).spawn().unwrap();
    wait_until("the command", || place.has("begun"));
    // As where all of a job are told to stop: guards and workers too.
    let guards = children_of(pretext.id());
    let workers: Vec<u32> = guards.iter().flat_map(|&guard| children_of(guard)).collect();
    assert!(!workers.is_empty());
    workers.into_iter().chain(guards).chain([pretext.id()]).for_each(|process| signal(process, libc::SIGTERM));
    let output = pretext.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(143), "{err}");
    assert!(err.contains("1 running stage saved its state; nothing is lost"), "{err}");
    place.out(&["run", "programs.yaml", "--allow-commands"]);
    assert_eq!(place.artifact("programs.yaml", "line", "n"), "7\n");
}

#[test]
fn a_number_that_is_none_is_a_gap_with_a_word() {
    let recipe =
        command("printf \"{\\\"name\\\": \\\"loss\\\", \\\"value\\\": NaN}\\n\" > $MEASURES; echo x > $OUT_text/x", "")
            .replace("outputs:", "measures: [loss], outputs:")
            + "tables: { losses: { from: line, value: loss, rows: [] } }\n";
    let place = place_with(&recipe);
    let out = place.out(&["run", "programs.yaml", "--allow-commands"]);
    assert!(out.contains("`line` gave `loss`, which is not a finite number"), "{out}");
    assert!(place.out(&["show", "programs.yaml", "line"]).contains("not a finite number"));
    assert!(place.out(&["plan", "programs.yaml"]).contains("1 hit"));
}

/// Runs that nothing disturbs leave nothing behind.
#[test]
fn an_undisturbed_run_leaves_no_attempt() {
    for _ in 0..40 {
        let place = place_with(&command("echo x > $OUT_text/x", ""));
        place.out(&["run", "programs.yaml", "--allow-commands"]);
        let left: Vec<_> = fs::read_dir(place.path().join(".pretext/attempts")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What is computed anew finds nothing of what was finished and kept.
#[test]
fn force_computes_anew_what_is_done_and_cannot_be_published() {
    let run = "ls $OUT_text > found; cp found $OUT_text/found; test -e mended || ln -s /nowhere/y $OUT_text/y";
    let place = place_with(&command(run, ""));
    let (output, _, err) = place.ran(&["run", "programs.yaml", "--allow-commands"]);
    assert!(!output.status.success() && err.contains("(`--force 'line'` computes them anew)"), "{err}");
    place.write("mended", "");
    place.out(&["run", "programs.yaml", "--allow-commands", "--force", "line"]);
    assert_eq!(place.artifact("programs.yaml", "line", "found"), "", "its folder was empty");
}

/// Hours of computing are not lost because of something that a person can mend.
#[test]
fn what_is_done_and_cannot_be_published_is_kept_until_it_can() {
    let place = place_with(
        &command("touch begun-$(ls | wc -l); echo x > $OUT_text/x; ln -s /nowhere/y $OUT_text/y", "")
            .replace("$(ls | wc -l)", "`ls | wc -l`"),
    );
    let begun = || {
        fs::read_dir(place.path())
            .unwrap()
            .flatten()
            .filter(|f| f.file_name().to_string_lossy().starts_with("begun"))
            .count()
    };
    let run = || place.ran(&["run", "programs.yaml", "--allow-commands"]);
    for _ in 0..2 {
        let (output, _, err) = run();
        assert_eq!((output.status.code(), begun()), (Some(1), 1), "{err}");
        assert!(
            err.contains("it is done and cannot be published") && err.contains("y is a link to /nowhere/y"),
            "{err}"
        );
    }
    let keys = fs::read_dir(place.path().join(".pretext/attempts")).unwrap().flatten();
    let attempts = keys.flat_map(|key| fs::read_dir(key.path()).unwrap().flatten());
    let out = attempts.map(|attempt| attempt.path().join("out/text")).find(|out| out.exists()).unwrap();
    fs::remove_file(out.join("y")).unwrap();
    let (output, _, err) = run();
    assert!(output.status.success() && begun() == 1, "{err}");
    assert_eq!(place.artifact("programs.yaml", "line", "x"), "x\n");
}
