use super::memory::*;
use pretext::ids::{Digest, NodeId};
use pretext::plan::{Canonical, Graph, History, Question, evaluate};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// What the runs of a [`Memory`] have computed, as if all was one run.
impl History for Memory {
    fn computed_in(&self, run: &str, node: &NodeId) -> Option<Canonical> {
        assert_eq!(run, RUN);
        self.first.lock().unwrap().get(node).cloned()
    }
}

/// Why a node would run, as `explain` says it.
fn answer(memory: &Memory, graph: &Graph, name: &str) -> String {
    let statuses = evaluate(graph, memory);
    let now = UNIX_EPOCH + Duration::from_secs(THEN + 7200);
    let question = Question { graph, statuses: &statuses, known: memory, history: memory, now };
    question.answer(graph.node_indices().find(|&index| graph[index].id.0 == name).unwrap())
}

#[test]
fn an_explanation_follows_the_chain_of_causes() {
    let memory = Memory::full();
    *memory.first.lock().unwrap() =
        memory.last.lock().unwrap().iter().map(|(node, last)| (node.clone(), last.canonical.clone())).collect();
    assert_eq!(answer(&memory, &graph(RECIPE), FEATURES), "hit");
    assert_eq!(answer(&Memory::default(), &graph(RECIPE), "photos"), "would run: never ran");

    let longer = graph(&RECIPE.replace("epochs: 5", "epochs: 6"));
    let ran = "(last run 2 h 00 min ago, in 1970-01-12T13-46-40Z)";
    assert_eq!(answer(&memory, &longer, SIMCLR), format!("would run: epochs 5 -> 6 {ran}"));
    let open = format!(
        "open: it is not known yet whether it would run\n  `encoder` waits for {SIMCLR}, which would run: epochs 5 -> 6 \
         {ran}\n  where that yields the same bytes as before, its result is reused"
    );
    assert_eq!(answer(&memory, &longer, FEATURES), open);

    let mut newer = longer.clone();
    let features = newer.node_weights_mut().find(|node| node.id.0 == FEATURES).unwrap();
    Arc::make_mut(&mut features.kind).version = 7;
    let itself = answer(&memory, &newer, FEATURES);
    assert!(itself.ends_with("\n  in itself changed: version 1 -> 7"), "{itself}");

    // Of another recipe, say: the training is there already, and the features are not.
    let other = |name: &str| by_name(&format!("{name} of six epochs"));
    memory.yields(&longer, SIMCLR, other(SIMCLR));
    let short = |digest: Digest| digest.short();
    assert_eq!(
        answer(&memory, &longer, FEATURES),
        format!(
            "would run: input `encoder` changed ({} -> {}) because {SIMCLR} ran again: epochs 5 -> 6 {ran}",
            short(by_name(SIMCLR)),
            short(other(SIMCLR))
        )
    );

    let fewer = graph(&RECIPE.replace("train: 100", "train: 90"));
    let waits = answer(&memory, &fewer, FEATURES);
    let photos = format!("photos, which would run: train 100 -> 90 {ran}");
    assert!(waits.contains(&format!("\n  `data` waits for {photos}")), "{waits}");
    assert!(waits.contains(&format!("\n  `encoder` waits for {SIMCLR}, which waits for {photos}")), "{waits}");
    memory.yields(&fewer, "photos", other("photos"));
    memory.yields(&fewer, SIMCLR, other(SIMCLR));
    let chain = answer(&memory, &fewer, FEATURES);
    assert!(chain.contains(&format!("because {SIMCLR} ran again: input `data` changed (")), "{chain}");
    assert!(chain.contains("because photos ran again: train 100 -> 90"), "{chain}");
}
