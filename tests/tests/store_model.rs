//! The store under random sequences of what processes do with it and what happens to it, held against a simple model.

mod model;

use model::{Model, Op};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

/// One test, since faults are armed for the process as a whole.
#[test]
fn the_store_does_what_the_model_says() {
    let config = Config { cases: 1000, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let done = std::cell::RefCell::new(std::collections::BTreeMap::<String, usize>::new());
    let outcome = TestRunner::new(config).run(&prop::collection::vec(model::op(), 40), |ops: Vec<Op>| {
        let mut model = Model::new();
        for op in &ops {
            let what = model.apply(op);
            *done.borrow_mut().entry(what).or_default() += 1;
        }
        Ok(())
    });
    println!("{:?}", done.borrow());
    match outcome {
        Err(TestError::Fail(reason, ops)) => panic!("{reason}\n{ops:?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Ok(()) => {}
    }
    // A model that never gets anywhere proves nothing.
    let counts = done.borrow();
    for what in
        ["published", "resumed", "publishing refused", "dropped", "in use", "collected", "found", "damage found"]
    {
        assert!(counts.get(what).is_some_and(|count| *count > 100), "{what}: {counts:?}");
    }
}
