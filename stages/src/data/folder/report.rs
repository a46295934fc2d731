//! What a folder was taken for.

use super::super::dataset::Split;
use super::super::groups::Groups;
use super::super::pictures;
use super::super::summary::Summary;
use super::Params;
use super::decoded::Decoded;
use super::layout::Layout;
use super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub fn summary(
    tree: &Tree,
    images: &BTreeMap<Split, Vec<usize>>,
    groups: Option<&Groups>,
    decoded: &Decoded,
    params: &Params,
) -> Summary {
    let total: usize = images.values().map(Vec::len).sum();
    let of = match tree.classes.len() {
        1 => "without labels: all are of one class".to_owned(),
        classes => format!("in {classes} classes"),
    };
    let mut remarks = vec![splits(tree, images)];
    if let Layout::Classes { named_as_split: Some(name), .. } = &tree.layout {
        remarks.push(format!("`{name}` is taken as a class, since no folder beside it is named like a split"));
    }
    remarks.extend(groups.map(|groups| {
        let count = groups.count(images.values().flatten().copied());
        match images.contains_key(&Split::Unlabelled) {
            true => format!("{count} groups, none of which is both trained on and evaluated by"),
            false => format!("{count} groups, each in one split"),
        }
    }));
    let turned = images.values().flatten().filter(|number| decoded.turned.contains(number)).count();
    if turned > 0 {
        remarks.push(format!("turned as their cameras noted: {turned}"));
    }
    let faulty = tree.faulty();
    if !faulty.is_empty() {
        let kinds = pictures::by_ending(faulty.iter().map(|(path, _)| *path));
        remarks.push(format!("left out, since they cannot be read: {kinds}"));
    }
    remarks.extend(pictures::passed_over(tree.others.iter().map(PathBuf::as_path)));
    remarks.extend(no_classes(tree));
    let unused = tree.files.len() - faulty.len() - total;
    if unused > 0 {
        remarks.push(format!("not drawn: {unused}"));
    }
    let details = faulty.iter().map(|(path, fault)| format!("left out: {}: {fault}", path.display())).collect();
    let sources = images.values().flatten().map(|&number| tree.files[number].path.display().to_string()).collect();
    let title = format!("{total} images of {size} x {size} pixels {of}", size = params.size);
    Summary { title, remarks, details, sources }
}

/// Folders that stand where classes do and have no picture.
fn no_classes(tree: &Tree) -> Option<String> {
    const NAMED: usize = 3;
    let depth = if matches!(tree.layout, Layout::Splits(_)) { 2 } else { 1 };
    let top = |path: &Path| -> PathBuf { path.parent().into_iter().flat_map(Path::iter).take(depth).collect() };
    let classes: BTreeSet<PathBuf> = tree.files.iter().map(|file| top(&file.path)).collect();
    let others = tree.others.iter().map(|path| (top(path), Some(path.as_path())));
    let empty = tree.empty.iter().map(|folder| (folder.iter().take(depth).collect(), None));
    let mut folders: BTreeMap<PathBuf, Vec<&Path>> = BTreeMap::new();
    for (folder, file) in others.chain(empty) {
        if !classes.iter().any(|class| class.starts_with(&folder)) {
            folders.entry(folder).or_default().extend(file);
        }
    }
    let holds = |files: &[&Path]| match files {
        [] => "it is empty".to_owned(),
        files => pictures::by_ending(files.iter().copied()),
    };
    let mut named: Vec<String> = folders
        .iter()
        .take(NAMED)
        .map(|(folder, files)| format!("`{}` ({})", folder.display(), holds(files)))
        .collect();
    named.extend((folders.len() > NAMED).then(|| format!("{} more", folders.len() - NAMED)));
    (!named.is_empty()).then(|| format!("no picture lies in {}", named.join(", ")))
}

/// Where each split comes from.
fn splits(tree: &Tree, images: &BTreeMap<Split, Vec<usize>>) -> String {
    let folder = |split: Split| tree.layout.folder(split);
    let from = |split: Split| match (folder(split), images.contains_key(&split)) {
        (Some(name), _) => format!("{} is `{name}`", split.name()),
        (None, true) => format!("{} is drawn from it", split.name()),
        (None, false) => format!("there is no {} split, by which evaluations judge", split.name()),
    };
    let train = folder(Split::Train).map_or("train is the folder".to_owned(), |name| format!("train is `{name}`"));
    let own = folder(Split::Unlabelled).map(|name| format!("`{name}`"));
    let spared = images.get(&Split::Unlabelled).into_iter().flatten().any(|&number| tree.files[number].label >= 0);
    let unlabelled: Vec<String> = own.into_iter().chain(spared.then(|| "what `train` leaves".to_owned())).collect();
    let unlabelled =
        if unlabelled.is_empty() { String::new() } else { format!(", unlabelled is {}", unlabelled.join(" and ")) };
    format!("{train}, {}, {}{unlabelled}", from(Split::Validation), from(Split::Test))
}
