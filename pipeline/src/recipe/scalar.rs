//! A scalar: the text that was written, and what YAML takes it for.

use serde_json::Value;

/// `3.10` is 3.1 where a number is wanted, and stays `3.10` in a text, a label or a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// In quotes, or nothing that YAML knows otherwise.
    Text(String),
    /// What YAML takes for a number, a truth value or nothing, and how it was written.
    Typed { value: Value, written: Box<str> },
    /// A variable of the environment: always a text, and a number as well where one is wanted.
    Environment(String),
}

impl Scalar {
    /// What stands without quotes.
    pub fn plain(written: &str) -> Self {
        match typed(written) {
            Some(value) => Self::Typed { value, written: written.into() },
            None => Self::Text(written.to_owned()),
        }
    }

    /// As it was written.
    pub fn written(&self) -> &str {
        match self {
            Self::Text(text) | Self::Environment(text) => text,
            Self::Typed { written, .. } => written,
        }
    }

    /// What it is where a text is wanted; none where a recipe says nothing (`null`, `~`, a forgotten value).
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Typed { value: Value::Null, .. } => None,
            scalar => Some(scalar.written()),
        }
    }

    /// What it is where it can be anything.
    pub fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Typed { value, .. } => value.clone(),
            Self::Environment(text) => typed(text).unwrap_or_else(|| Value::String(text.clone())),
        }
    }

    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Typed { value, .. } => value.is_null(),
            Self::Environment(text) => typed(text).is_some_and(|value| value.is_null()),
        }
    }

    /// What a person would call it.
    pub fn describe(&self) -> String {
        let shown = match self.value() {
            Value::Null => "nothing".into(),
            Value::String(text) if text.is_empty() => "an empty text".into(),
            Value::String(text) => format!("`{text}`"),
            _ => self.written().trim().to_owned(),
        };
        // The recipe shows another value where this one is pointed at.
        if matches!(self, Self::Environment(_)) { format!("{shown}, from the environment") } else { shown }
    }
}

/// A number, a truth value or nothing where a text is one; none where it is only a text.
fn typed(text: &str) -> Option<Value> {
    // Nearly all are one of these, and what follows takes a microsecond or two for each.
    if text.starts_with(|c: char| c.is_ascii_alphabetic() && !"tTfFnN".contains(c)) {
        return None;
    }
    let is_short_number = text.len() < 18 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_short_number && (text == "0" || !text.starts_with('0')) {
        return text.parse::<u64>().ok().map(Value::from);
    }
    let text = text.trim();
    // Whatever else YAML makes of a text (comments, tags, lists) is no scalar that somebody wrote here.
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "+-._~".contains(c)) {
        return None;
    }
    match serde_yaml::from_str(text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_))) => Some(value),
        // Infinity and not-a-number come as nothing too: JSON has neither.
        Ok(Value::Null) if matches!(text, "" | "~" | "null" | "Null" | "NULL") => Some(Value::Null),
        _ => more_than_64_bits(text),
    }
}

/// A whole number that no integer holds.
fn more_than_64_bits(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_one = !digits.starts_with('0') && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<f64>().ok().filter(|number| is_one && number.is_finite()).map(Value::from)
}

/// One spelling for all that are the same number (`1e-3` and `0.001`); none for what is no number.
pub fn spelling_of_number(text: &str) -> Option<String> {
    let Value::Number(number) = typed(text)? else { return None };
    if number.is_i64() || number.is_u64() {
        return Some(number.to_string());
    }
    let float = number.as_f64()?;
    let is_whole = float.fract() == 0.0 && float.abs() < 1e38;
    Some(if is_whole { (float as i128).to_string() } else { format!("{float:e}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_yaml_takes_for_a_number_is_one_and_keeps_its_spelling() {
        for (written, value) in [
            ("3.10", json!(3.1)),
            ("144e16", json!(144e16)),
            ("1e-3", json!(0.001)),
            ("0x10", json!(16)),
            ("0o7", json!(7)),
            (".5", json!(0.5)),
            ("+1", json!(1)),
            ("1.", json!(1.0)),
            ("-0", json!(0)),
            ("True", json!(true)),
            ("FALSE", json!(false)),
            ("~", json!(null)),
            ("", json!(null)),
            ("NULL", json!(null)),
            ("18446744073709551615", json!(u64::MAX)),
            ("123456789012345678901234567890", json!(123456789012345678901234567890.0)),
            ("-18446744073709551616", json!(-18446744073709551616.0)),
            (" 3 ", json!(3)),
        ] {
            let scalar = Scalar::plain(written);
            assert_eq!((scalar.value(), scalar.written()), (value.clone(), written));
            assert_eq!(scalar.text(), Some(written).filter(|_| !value.is_null()));
            assert_eq!(Scalar::Environment(written.into()).value(), value);
        }
    }

    #[test]
    fn everything_else_is_a_text() {
        let texts = "01234 1_000 yes no on Off 2026-01-02 12:30:45 1e400 .inf -.Inf .nan inf nan infinity 0x 1e - --- \
                     tRue 3.10.1 1,000 0b";
        let texts =
            texts.split_whitespace().chain(["3 # three", "1 2", "--- 3", "&a 3", "!!int 3", "[3]", "'3'", "3:"]);
        for text in texts {
            assert_eq!(Scalar::plain(text), Scalar::Text(text.to_owned()));
            assert_eq!(Scalar::Environment(text.to_owned()).value(), json!(text));
        }
    }

    #[test]
    fn a_variable_is_a_text_even_where_it_says_nothing() {
        for text in ["", "~", "null"] {
            let scalar = Scalar::Environment(text.to_owned());
            assert_eq!((scalar.text(), scalar.is_nothing()), (Some(text), true));
            assert_eq!(scalar.describe(), "nothing, from the environment");
        }
    }

    #[test]
    fn equal_numbers_have_one_spelling() {
        let spelling = |text: &str| spelling_of_number(text).unwrap_or_else(|| panic!("{text} is a number"));
        for [one, other] in [["1e-3", "0.001"], ["1", "1.0"], ["0x10", "+16"], ["1e22", "10000000000000000000000"]] {
            assert_eq!(spelling(one), spelling(other));
        }
        assert_eq!(spelling("-0.0"), spelling("0"));
        assert_ne!(spelling("9007199254740993"), spelling("9007199254740992"), "integers are compared as such");
        assert_ne!(spelling("0.1"), spelling("0.10000000000000002"));
        for text in ["", "true", "a", "01", "1e400"] {
            assert_eq!(spelling_of_number(text), None);
        }
    }
}
