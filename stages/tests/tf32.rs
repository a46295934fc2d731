//! TF32 is another numerics than float32: off at the start of every stage, and on a processor no other than float32. A program of its
//! own, since what it looks at holds for the whole process.

mod tiny;

use pretext_stages::context::Context;
use pretext_stages::nn::ops;
use serde_json::{Value, json};

#[test]
fn tf32_is_off_unless_a_training_asks_for_it_and_on_a_processor_float32() {
    tch::set_num_threads(tiny::THREADS as i32);
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    tiny::write_dataset(&data);
    let entry = tiny::trained_kinds().into_iter().find(|entry| entry.name == "pretrain/rotation").unwrap();
    let trained = |precision: &str| {
        let mut params = tiny::small_params(&entry, 1, 32);
        params["precision"] = json!(precision);
        let folder = root.path().join(precision);
        let run = tiny::request(&entry, params, &folder, &[("data", &data)]);
        // Left on by whatever was before.
        ops::allow_tf32(true);
        assert!(ops::allows_tf32());
        let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
        assert!(!ops::allows_tf32(), "a stage begins without");
        (entry.run)(&run.params, &context).unwrap();
        assert!(!ops::allows_tf32(), "a processor's stage never asks for it");
        tiny::trained(&folder)
    };
    assert!(trained("float32") == trained("tf32"));
    let choices = (entry.kind)().params["properties"]["precision"].clone();
    assert_eq!(choices["enum"], json!(["float32", "tf32", "bfloat16"]));
    assert_eq!(choices["default"], Value::from("float32"));
}
