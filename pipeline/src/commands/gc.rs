use super::places::StorePlace;
use super::print;
use crate::store::{Collected, GcPlan, GcWishes, Going, LeftoverKind};
use crate::text;
use anyhow::Result;
use clap::Args;
use std::collections::BTreeMap;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "Without options it lists only what nobody can need: artifacts that no result mentions, what \
processes have left that were cut short, and what `pretext verify --repair` moved aside. --older and --recipe name \
results as well; given together, both must hold. With --to as much of it goes, what was used least recently first, as \
makes the store that small.\n\nA result counts as used when a run computed or reused it. What a recipe uses of which a \
run goes on is kept, and so are checkpoints, unless they are --older. Results that are gone are computed again when \
they are needed. It may run beside `pretext run`.\n\nExamples:\n  pretext gc --older 30d\n  pretext gc --recipe \
small-labels --delete\n  pretext gc --to 50GiB --keep-recipe small-labels --delete")]
pub(super) struct GcArgs {
    /// Results that no run has used for so long, and records of runs and checkpoints as old: 30d, 12h, 90min
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    older: Option<u64>,
    /// Results that no other recipe's runs have used; may be repeated
    #[arg(long, value_name = "NAME")]
    recipe: Vec<String>,
    /// No results that this recipe's runs have used; may be repeated
    #[arg(long, value_name = "NAME")]
    keep_recipe: Vec<String>,
    /// Only until the store is as small as this: 50GiB, 500MiB
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    to: Option<u64>,
    /// Remove it; without this it is only listed
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    store: StorePlace,
}

pub(super) fn gc(args: &GcArgs) -> Result<ExitCode> {
    let store = args.store.open()?;
    let wishes = GcWishes {
        older: args.older,
        recipes: args.recipe.iter().cloned().collect(),
        keep_recipes: args.keep_recipe.iter().cloned().collect(),
        to: args.to,
    };
    let now = text::now();
    let plan = store.plan_gc(&wishes, now)?;
    print(&listing(&plan, args.to, now))?;
    if args.delete {
        print(&closing(&store.collect(&plan)?))?;
    } else if !plan.is_empty() {
        print("nothing was removed: the same command with --delete removes it\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

type IsIt = fn(LeftoverKind) -> bool;

/// A line of the list.
struct Row {
    what: String,
    count: usize,
    bytes: u64,
    /// When any of it was last used, where that matters: seconds since 1970.
    last_used: Option<u64>,
}

fn listing(plan: &GcPlan, limit: Option<u64>, now: u64) -> String {
    let mut rows = by_stage(&plan.results);
    rows.extend(row("artifacts that no result mentions", plan.unmentioned.iter().map(|(_, bytes)| *bytes)));
    let leftovers: [(&str, IsIt); 5] = [
        ("unfinished attempts with a checkpoint", |what| matches!(what, LeftoverKind::Checkpoint(_))),
        ("attempts that came to nothing", |what| matches!(what, LeftoverKind::Attempt(_))),
        ("half written files", |what| what == LeftoverKind::Partial),
        ("downloads that were broken off", |what| what == LeftoverKind::Download),
        ("damaged, moved aside by verify", |what| what == LeftoverKind::Damaged),
    ];
    for (name, is_it) in leftovers {
        let of_this_kind = plan.leftovers.iter().filter(|leftover| is_it(leftover.what));
        rows.extend(row(name, of_this_kind.map(|leftover| leftover.bytes)));
    }
    rows.extend(row("records of runs", plan.runs.iter().map(|(_, bytes)| *bytes)));
    format!("{}{}", table(&rows, now), total(plan, limit))
}

fn total(plan: &GcPlan, limit: Option<u64>) -> String {
    let (going, all) = (plan.bytes(), plan.store_bytes);
    let mut text = match plan.is_empty() {
        true => format!("nothing can go; the store holds {}\n", text::bytes(all)),
        false => format!("{} of {} can go\n", text::bytes(going), text::bytes(all)),
    };
    let left = all.saturating_sub(going);
    if let Some(limit) = limit.filter(|limit| left > *limit) {
        let (left, limit) = (text::bytes(left), text::bytes(limit));
        text.push_str(&format!(
            "{left} would be left, more than {limit}: downloads, checkpoints, results in use or not named by the options\n"
        ));
    }
    text
}

/// The results of each stage of each recipe, what was used least recently first.
fn by_stage(results: &[Going]) -> Vec<Row> {
    let mut stages: BTreeMap<String, (usize, u64, u64)> = BTreeMap::new();
    for going in results {
        let name = match &going.node {
            Some(node) => format!("{}: {}", going.recipe, node.0.split('[').next().unwrap_or_default()),
            None => "results of which no record is left".to_owned(),
        };
        let (count, bytes, last_used) = stages.entry(name).or_default();
        *count += 1;
        *bytes += going.bytes;
        *last_used = going.last_used.max(*last_used);
    }
    let row = |(what, (count, bytes, last_used))| Row { what, count, bytes, last_used: Some(last_used) };
    let mut rows: Vec<Row> = stages.into_iter().map(row).collect();
    rows.sort_by_key(|row| row.last_used);
    rows
}

/// None where there is nothing of the kind.
fn row(what: &str, sizes: impl Iterator<Item = u64>) -> Option<Row> {
    let (count, bytes) = sizes.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes));
    (count > 0).then(|| Row { what: what.to_owned(), count, bytes, last_used: None })
}

fn table(rows: &[Row], now: u64) -> String {
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or_default();
    let ago = |time: u64| format!("  used {} ago", text::rough_duration(now.saturating_sub(time) as f64));
    let line = |Row { what, count, bytes, last_used }: &Row| {
        let (count, bytes) = (text::count(*count as u64), text::bytes(*bytes));
        format!("  {what:width$}  {count:>7}  {bytes:>10}{}\n", last_used.map_or(String::new(), ago))
    };
    rows.iter().map(line).collect()
}

fn closing(collected: &Collected) -> String {
    let Collected { results, artifacts, leftovers, runs, in_use } = collected;
    let mut text = format!(
        "removed {}, {}, {} and {}\n",
        text::counted(*results, "result"),
        text::counted(*artifacts, "artifact"),
        text::counted(*leftovers, "leftover"),
        text::counted(*runs, "record") + if *runs == 1 { " of a run" } else { " of runs" },
    );
    if *in_use > 0 {
        text.push_str(&format!("{} came into use meanwhile and stayed\n", text::counted(*in_use, "other")));
    }
    text
}

/// `30d`
fn seconds(text: &str) -> Result<u64, String> {
    quantity(text, &[("s", 1), ("min", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)])
        .ok_or_else(|| "a time is a whole number and a unit (s, min, h, d, w): 30d".to_owned())
}

/// `50GiB`
fn bytes(text: &str) -> Result<u64, String> {
    quantity(text, &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)])
        .ok_or_else(|| "a size is a whole number and a unit (B, KiB, MiB, GiB, TiB): 50GiB".to_owned())
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, size) = text::split_unit(text, units)?;
    number.parse::<u64>().ok()?.checked_mul(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        let times = ["30d", "12 h", "0s", "30", "d", "-3d", "3m", "99999999999999999d"].map(|text| seconds(text).ok());
        assert_eq!(times, [Some(2_592_000), Some(43_200), Some(0), None, None, None, None, None]);
        assert_eq!([bytes("50GiB").ok(), bytes("0B").ok(), bytes("5GB").ok()], [Some(50 << 30), Some(0), None]);
    }
}
