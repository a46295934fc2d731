use crate::nn::encoder::{Encoder, Library};
use crate::nn::ops;
use crate::nn::state;
use anyhow::{Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use tch::Tensor;

/// Names that a recipe allows to be missing in a file, or left over: whole ones, or the beginning before a `*`.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    pub missing: Vec<String>,
    pub left_over: Vec<String>,
}

fn is_among(name: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    })
}

/// What a file had for an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub library: Library,
    /// What stood before the library's names: `model.`
    pub prefix: String,
    pub matched: usize,
    /// By the library's names; what was allowed.
    pub missing: Vec<String>,
    pub left_over: Vec<String>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tensors by {}'s names", self.matched, self.library.name())?;
        if !self.prefix.is_empty() {
            write!(f, " behind `{}`", self.prefix)?;
        }
        for (names, what) in [(&self.missing, "missing, at their first weights"), (&self.left_over, "left over")] {
            if !names.is_empty() {
                write!(f, "; {} {what}: {}", names.len(), listed(names))?;
            }
        }
        Ok(())
    }
}

/// As many names as a sentence takes.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// Puts a file's tensors into an encoder. All of both must belong together, but for what is allowed; of batch norms the counters of
/// batches, which nothing here reads, are passed over.
pub fn put_into(encoder: &Encoder, file: &BTreeMap<String, Tensor>, allowed: &Allowed) -> Result<Found> {
    let ours = state::named(encoder);
    let (library, prefix) = naming(encoder, &ours, file)?;
    let mut left: BTreeSet<&str> =
        file.keys().map(String::as_str).filter(|name| !name.ends_with("num_batches_tracked")).collect();
    let (mut pairs, mut missing) = (vec![], vec![]);
    for (name, tensor) in ours {
        let theirs = prefix.clone() + &encoder.name_in(library, &name).expect("the library has it");
        match file.get(&theirs) {
            Some(found) => {
                let shape = encoder.shape_in(library, &name, &tensor.size());
                ensure!(
                    found.size() == shape,
                    "{theirs} is {:?} in the file, and the encoder's is {shape:?}: `encoder` describes another network",
                    found.size()
                );
                left.remove(theirs.as_str());
                pairs.push((tensor, found));
            }
            None => missing.push(theirs),
        }
    }
    let left_over: Vec<String> = left.into_iter().map(str::to_owned).collect();
    let stray = |names: &[String], allowed| -> Vec<String> {
        names.iter().filter(|name| !is_among(name, allowed)).cloned().collect()
    };
    let strays = [
        (stray(&missing, &allowed.missing), "missing in the file", "allow_missing"),
        (stray(&left_over, &allowed.left_over), "left over in it", "allow_left_over"),
    ];
    let strays = || strays.iter().filter(|(names, ..)| !names.is_empty());
    if strays().next().is_some() {
        let told = strays().map(|(names, what, _)| {
            format!("{} {} {what}: {}", names.len(), if names.len() == 1 { "is" } else { "are" }, listed(names))
        });
        let words = strays().map(|(names, _, word)| format!("`{word}: [{}]`", listed(names)));
        let both = strays().count() > 1;
        bail!(
            "by {}'s names {} of the encoder's tensors were found, {}. If that is meant, write {} (a name may end in *); else {}`encoder` \
             describes another network",
            library.name(),
            pairs.len(),
            told.collect::<Vec<_>>().join(", and "),
            words.collect::<Vec<_>>().join(" and "),
            if both { "a name is misspelt, or " } else { "" }
        );
    }
    let (names, tensors): (Vec<&String>, Vec<Tensor>) =
        file.iter().map(|(name, tensor)| (name, tensor.shallow_clone())).unzip();
    if let Some(place) = ops::first_not_finite(&tensors) {
        bail!("{} has values that are not finite (NaN or infinite)", names[place]);
    }
    let matched = pairs.len();
    for (mut tensor, found) in pairs {
        tch::no_grad(|| tensor.copy_(&found.reshape(tensor.size())));
    }
    Ok(Found { library, prefix, matched, missing, left_over })
}

/// Whose names a file has, and what stands before them: what fits most tensors.
fn naming(encoder: &Encoder, ours: &[(String, Tensor)], file: &BTreeMap<String, Tensor>) -> Result<(Library, String)> {
    let mut best: Option<(usize, Library, String)> = None;
    for library in Library::ALL {
        let names: Option<Vec<String>> = ours.iter().map(|(name, _)| encoder.name_in(library, name)).collect();
        let Some(names) = names else { continue };
        // Any tensor's name may be missing; of two one is there.
        let ends = names.iter().take(2);
        let prefixes: BTreeSet<&str> =
            ends.flat_map(|end| file.keys().filter_map(|name| name.strip_suffix(end.as_str()))).collect();
        for prefix in prefixes.into_iter().filter(|prefix| prefix.is_empty() || prefix.ends_with('.')) {
            let fit = names.iter().filter(|name| file.contains_key(&format!("{prefix}{name}"))).count();
            if best.as_ref().is_none_or(|&(most, ..)| fit > most) {
                best = Some((fit, library, prefix.to_owned()));
            }
        }
    }
    let Some((_, library, prefix)) = best else {
        let named: Vec<String> = Library::ALL
            .into_iter()
            .filter_map(|library| Some(format!("{} ({})", encoder.name_in(library, &ours[0].0)?, library.name())))
            .collect();
        let some: Vec<String> = file.keys().cloned().collect();
        bail!(
            "no tensor of the file is called as one of the encoder's: it has {}, and expected is {} and so on: `encoder` describes another \
             network",
            listed(&some),
            named.join(", or ")
        );
    };
    Ok((library, prefix))
}
