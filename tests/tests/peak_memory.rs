//! A stage's peak memory is its own, whatever its worker has computed before.

use pretext_tests::trainings::{prepare, training, worker};

#[test]
fn a_small_stage_after_a_large_one_takes_little() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (inputs, kinds) = prepare(root.path());
    let supervised = kinds.iter().find(|kind| kind.name == "pretrain/supervised").unwrap();
    let mut worker = worker();
    let peak_of = |worker: &mut pretext_tests::WorkerProcess, name: &str, width: u32, batch: u32| {
        let mut run = training(supervised, &inputs, &root.path().join(name), 4);
        run.params["encoder"]["width"] = width.into();
        run.params.extend([("batch".to_owned(), batch.into())]);
        worker.compute(&run).peak_bytes.unwrap()
    };
    let large = peak_of(&mut worker, "large", 64, 80);
    // The first layer's output for 80 images of 32x32 pixels: 64 channels of 4 bytes; it is kept for the gradient, with more
    // of its kind.
    assert!(large > 2 * 80 * 32 * 32 * 64 * 4, "{large}");
    let small = peak_of(&mut worker, "small", 4, 8);
    assert!(small < large / 5, "{small} after {large}");
    let again = peak_of(&mut worker, "again", 64, 80);
    assert!(again > large / 2, "{again} after {small}, and {large} at first");
}
