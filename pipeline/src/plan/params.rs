use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::Index;
use std::sync::Arc;

/// Parameters by name, sorted. What the instances of a stage have in common is held once for all of them: a sweep over ten
/// thousand seeds differs in the seed.
#[derive(Debug, Clone, Default)]
pub struct Params {
    common: Arc<BTreeMap<String, Value>>,
    /// Sorted; none of them is among the common ones.
    own: Box<[(Arc<str>, Value)]>,
}

impl Params {
    /// `own` are the parameters that are not among the common ones.
    pub fn new(common: Arc<BTreeMap<String, Value>>, mut own: Vec<(Arc<str>, Value)>) -> Self {
        own.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { common, own: own.into() }
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let own = self.own.iter().find(|(own, _)| **own == *name).map(|(_, value)| value);
        own.or_else(|| self.common.get(name))
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let mut common = self.common.iter().map(|(name, value)| (name.as_str(), value)).peekable();
        let mut own = self.own.iter().map(|(name, value)| (&**name, value)).peekable();
        std::iter::from_fn(move || match (common.peek(), own.peek()) {
            (Some((a, _)), Some((b, _))) if b < a => own.next(),
            (Some(_), _) => common.next(),
            (None, _) => own.next(),
        })
    }

    /// What a worker is given.
    pub fn to_map(&self) -> Map<String, Value> {
        self.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Index<&str> for Params {
    type Output = Value;

    /// Null where there is none of this name.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

impl FromIterator<(String, Value)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self::new(Arc::new(entries.into_iter().collect()), vec![])
    }
}

impl From<&Params> for BTreeMap<String, Value> {
    fn from(params: &Params) -> Self {
        params.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn common_and_own_parameters_are_one_sorted_map() {
        let common = Arc::new([("b".to_owned(), json!(2)), ("d".to_owned(), json!(4))].into());
        let own = vec![("e".into(), json!(5)), ("a".into(), json!(1)), ("c".into(), json!(3))];
        let params = Params::new(common, own);
        assert_eq!(serde_json::to_string(&params.to_map()).unwrap(), r#"{"a":1,"b":2,"c":3,"d":4,"e":5}"#);
        assert_eq!((&params["c"], &params["d"], params.get("x")), (&json!(3), &json!(4), None));
        let all_common: Params = params.to_map().into_iter().collect();
        assert_eq!(params, all_common, "it does not matter where one is held");
    }
}
