//! Numbers that are none. JSON has no word for them; Python writes `NaN` and `Infinity` all the same, others `null`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Reads a line of JSON in which numbers may be `NaN`, `Infinity` and `-Infinity`, as Python's `json` writes them.
///
/// # Errors
/// What is wrong with the line as JSON.
pub fn from_line<T: DeserializeOwned>(line: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(line).or_else(|error| match without_words(line) {
        Some(plain) => serde_json::from_slice(&plain),
        None => Err(error),
    })
}

/// The line with `null` for such words; none where it has none outside of texts.
fn without_words(line: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let (mut plain, mut found, mut in_text, mut at) = (Vec::with_capacity(line.len()), false, false, 0);
    while at < line.len() {
        let word = WORDS.iter().find(|word| !in_text && line[at..].starts_with(word));
        if let Some(word) = word {
            plain.extend_from_slice(b"null");
            (found, at) = (true, at + word.len());
            continue;
        }
        // What follows a backslash neither begins nor ends a text.
        let taken = if in_text && line[at] == b'\\' { 2 } else { 1 };
        in_text ^= line[at] == b'"';
        plain.extend_from_slice(&line[at..line.len().min(at + taken)]);
        at += taken;
    }
    found.then_some(plain)
}

/// A number, or NaN where there is none.
pub(crate) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// As [`or_nan`], of each.
pub(crate) fn each_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let values = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Measurement, Progress};

    #[test]
    fn what_is_no_number_is_read_as_such() {
        for value in ["NaN", "Infinity", "-Infinity", "null"] {
            let line = format!(r#"{{"name": "a \\\" NaN", "value": {value}}}"#);
            let measurement: Measurement = from_line(line.as_bytes()).unwrap();
            assert!(measurement.value.is_nan() && measurement.name == r#"a \" NaN"#, "{line}");
        }
        let progress: Progress = from_line(
            br#"{"id":1,"phase":"train","done":1,"total":2,"unit":"","rate":NaN,"values":{"loss":NaN,"lr":0.1}}"#,
        )
        .unwrap();
        assert!(progress.rate.is_none() && progress.values["loss"].is_nan() && progress.values["lr"] == 0.1);
    }

    #[test]
    fn what_is_no_json_is_an_error_of_the_line_as_it_is() {
        let error = from_line::<Measurement>(br#"{"name": NotANumber}"#).unwrap_err().to_string();
        assert!(error.contains("column 10"), "{error}");
    }

    #[test]
    fn what_is_no_number_survives_a_round_trip() {
        let measurement = Measurement { name: "a".into(), split: String::new(), value: f64::NAN };
        let text = serde_json::to_string(&measurement).unwrap();
        assert_eq!(text, r#"{"name":"a","split":"","value":null}"#);
        assert!(serde_json::from_str::<Measurement>(&text).unwrap().value.is_nan());
    }
}
