//! `retries`, `timeout`, `keep`, of a stage or of all: what is done about one that fails or is done.

use super::problem::Problem;
use super::quantity::{A_TIME, TIME, one};
use super::resources::whole;
use super::tree::Tree;
use crate::plan::Policy;
use serde_json::Value;
use std::time::Duration;

const MOST_RETRIES: u64 = 100;

/// What a map says, over what holds otherwise.
pub fn read(tree: &Tree, otherwise: &Policy, problems: &mut Vec<Problem>) -> Policy {
    let mut policy = otherwise.clone();
    if let Some(retries) = tree.get("retries").and_then(|tree| whole(tree, "retries", 0, MOST_RETRIES, problems)) {
        policy.retries = retries as u32;
    }
    match tree.get("timeout") {
        None => {}
        Some(found) if found.is_nothing() => policy.timeout = None,
        Some(found) => policy.timeout = one(found, "timeout", &TIME, A_TIME, problems).map(Duration::from_secs),
    }
    if let Some(keep) = tree.get("keep").and_then(|tree| truth(tree, "keep", problems)) {
        policy.keep = keep;
    }
    policy
}

/// `true` or `false`.
pub fn truth(tree: &Tree, word: &str, problems: &mut Vec<Problem>) -> Option<bool> {
    match tree.value() {
        Value::Bool(value) => Some(value),
        _ => {
            problems.push(Problem::wrong_value(&format!("`{word}`"), tree, "true or false"));
            None
        }
    }
}
