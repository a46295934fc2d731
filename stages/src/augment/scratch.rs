//! Memory that operations need for a moment, kept by each thread.

use std::cell::RefCell;

thread_local! {
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(vec![]) };
}

/// Calls `body` with `length` numbers, whatever they are.
pub fn with<R>(length: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut numbers = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    numbers.resize(length.max(numbers.len()), 0.0);
    let result = body(&mut numbers[..length]);
    SPARE.with_borrow_mut(|spare| spare.push(numbers));
    result
}
