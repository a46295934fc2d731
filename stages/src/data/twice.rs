//! Images that are in two splits: what was trained on is then known when it is evaluated.

use super::dataset::Split;
use super::summary::Summary;
use std::collections::BTreeMap;
use std::path::Path;

/// Both splits, and of each image of the second that the first has too the files' numbers, in the first and in the second.
struct Shared {
    splits: [Split; 2],
    files: Vec<[usize; 2]>,
}

/// Pairs of files that the summary and the log name, of two splits.
const NAMED: usize = 5;

/// Says in the summary, and on the log, which images are the same in two splits, pixel for pixel. `digests`: of the images in the order of
/// `images`, which are files by their numbers.
pub fn report(files: &[&Path], images: &BTreeMap<Split, Vec<usize>>, digests: &[u64], summary: &mut Summary) {
    let path = |number: usize| files[number].display();
    for Shared { splits: [first, second], files: pairs } in shared(images, digests) {
        let (count, [first, second]) = (pairs.len(), [first, second].map(Split::name));
        let remark =
            format!("images of the {second} split that are in the {first} split too, pixel for pixel: {count}");
        eprintln!("warning: {remark}");
        summary.remarks.push(remark);
        for &[one, other] in pairs.iter().take(NAMED) {
            let named = format!("the same image: {} ({first}), {} ({second})", path(one), path(other));
            eprintln!("{named}");
            summary.details.push(named);
        }
    }
}

/// Of every two splits that have any; what is in train and in unlabelled is trained on twice, and spoils nothing.
fn shared(images: &BTreeMap<Split, Vec<usize>>, digests: &[u64]) -> Vec<Shared> {
    let mut digests = digests.iter().copied();
    let splits =
        images.iter().map(|(&split, numbers)| (split, numbers.iter().copied().zip(digests.by_ref()).collect()));
    let splits: Vec<(Split, Vec<(usize, u64)>)> = splits.collect();
    let mut all = vec![];
    for (place, (first, of_first)) in splits.iter().enumerate() {
        // The first file of an image stands for it.
        let known: BTreeMap<u64, usize> = of_first.iter().rev().map(|&(file, digest)| (digest, file)).collect();
        for (second, of_second) in &splits[place + 1..] {
            let both = |(file, digest): &(usize, u64)| Some([*known.get(digest)?, *file]);
            let files: Vec<[usize; 2]> = of_second.iter().filter_map(both).collect();
            if !files.is_empty() && [*first, *second] != [Split::Train, Split::Unlabelled] {
                all.push(Shared { splits: [*first, *second], files });
            }
        }
    }
    all
}
