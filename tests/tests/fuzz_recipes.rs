//! Whatever a recipe's text is, it is answered: by a graph or by messages, in bounded time, without a panic.

use pretext::recipe::{Recipe, Surroundings, load, parse};
use pretext_protocol::Catalogue;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long all of it may take. `cargo bolero test fuzz_recipes` goes on by coverage instead.
const TIME: Duration = Duration::from_secs(6);

/// No input of this size needs as long, even where other tests take the processor.
const LONGEST: Duration = Duration::from_secs(5);

fn texts(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("it can be read").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort(); // so that a seed means the same on every machine
    files.iter().map(|path| fs::read_to_string(path).expect("it is text")).filter(|text| text.len() < 5000).collect()
}

/// What mutations put in: words of the language and what is next to them.
const PIECES: [&str; 40] = [
    "$(",
    ")",
    "$(method)",
    "$(method.x)",
    "$(env.X)",
    ": ",
    "- ",
    "{ ",
    " }",
    "[",
    "]",
    ", ",
    "\n",
    "\n  ",
    "\t",
    "'",
    "\"",
    "&a ",
    "*a",
    "!t ",
    "---\n",
    "# ",
    "null",
    "1e999",
    "-1",
    "0.5",
    "[[method, seed]]",
    "zip: [[method, seed]]\n",
    "include: [{ method: a, seed: 7 }]\n",
    "exclude: [{ method: random }]\n",
    "extends: base.yaml\n",
    "name",
    "axes",
    "stages",
    "with",
    "use: tool/command",
    "outputs: { a: b }",
    "timeout: 1h",
    "é",
    "\u{1F600}",
];

/// What is set on the command line.
const SETTINGS: [&str; 4] =
    ["stages.pretrain.with.epochs=5", "axes.seed=[0, 1, 2]", "stages.probe.with={ l2: [0.1] }", "zip=[[seed, labels]]"];

/// A text that was changed as `bytes` say.
fn mutated(texts: &[String], bytes: &[u8]) -> String {
    let Some((&which, rest)) = bytes.split_first() else { return String::new() };
    let mut text: Vec<char> = texts[usize::from(which) % texts.len()].chars().collect();
    for change in rest.chunks_exact(4).take(8) {
        let [how, high, low, what] = change else { unreachable!("chunks of four") };
        let at = (usize::from(*high) * 256 + usize::from(*low)) % (text.len() + 1);
        let length = usize::from(*what) % 40;
        let end = (at + length).min(text.len());
        match how % 4 {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, PIECES[usize::from(*what) % PIECES.len()].chars())),
            2 => drop(text.splice(at..end, PIECES[usize::from(*what) % PIECES.len()].chars())),
            _ => {
                let copied: Vec<char> = text[at..end].to_vec();
                text.splice(at..at, copied);
            }
        }
    }
    text.into_iter().collect()
}

#[test]
fn no_text_leads_to_a_panic() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes"));
    let catalogue: Catalogue =
        serde_json::from_slice(&fs::read(folder.join("catalogue.json")).expect("it is there")).expect("it is right");
    let recipes = [texts(folder), texts(&folder.join("invalid"))].concat();
    let (settings, design) = (SETTINGS.map(String::from), folder.join("design.yaml"));
    let (tried, accepted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (all_tried, all_accepted) = (&tried, &accepted);
    let begun = Instant::now();
    let ended = std::panic::catch_unwind(|| {
        bolero::check!().with_test_time(TIME).with_iterations(1_000_000).with_max_len(64).for_each(|bytes: &[u8]| {
            let count = |text: &str, answer: &dyn Fn() -> Result<Recipe, String>| {
                let begun = Instant::now();
                match answer() {
                    Ok(_) => drop(all_accepted.fetch_add(1, Ordering::Relaxed)),
                    Err(message) => assert!(message.contains("nothing was run"), "{message}"),
                }
                assert!(begun.elapsed() < LONGEST, "it took {:?}:\n{text}", begun.elapsed());
                all_tried.fetch_add(1, Ordering::Relaxed);
            };
            for text in [String::from_utf8_lossy(bytes).into_owned(), mutated(&recipes, bytes)] {
                count(&text, &|| parse("recipe.yaml", &text, &catalogue).map_err(|errors| errors.to_string()));
            }
            let set = mutated(&settings, bytes);
            let sets = [set.clone()];
            let digest_at = |_: &Path| Err(anyhow::anyhow!("the design's recipe has no path"));
            let surroundings = Surroundings { catalogue: &catalogue, foreign: &|_| Ok(None), digest_at: &digest_at };
            count(&set, &|| load(&design, &sets, surroundings).map_err(|errors| errors.to_string()));
        });
    });
    let (tried, accepted) = (tried.into_inner(), accepted.into_inner());
    // Past the capture of tests: it is the result.
    let _ = writeln!(
        std::io::stderr(),
        "{tried} inputs in {:.1} s, of which {accepted} are recipes",
        begun.elapsed().as_secs_f64()
    );
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
    assert!(tried > 1000 && accepted > 0, "the mutations reach recipes that are right");
}
