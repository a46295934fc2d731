use super::memory::*;
use pretext::ids::Key;
use pretext::plan::{Graph, evaluate, rebuilt};
use std::sync::Arc;

/// What a plan says of another build, where every result took an hour and a half.
fn line(memory: &Memory, graph: &Graph) -> Option<String> {
    let known = |key: &Key| memory.results.lock().unwrap().contains_key(key).then_some(5400.0);
    rebuilt(graph, &evaluate(graph, memory), memory, known)
}

#[test]
fn a_plan_says_what_another_build_computes_again_and_how_long_that_took() {
    let memory = Memory::full();
    assert_eq!(line(&memory, &graph(RECIPE)), None);
    assert_eq!(line(&Memory::default(), &graph(RECIPE)), None, "nothing was computed by any build");
    let longer = graph(&RECIPE.replace("epochs: 5", "epochs: 6"));
    assert_eq!(line(&memory, &longer), None, "the recipe changed, and the build did not");

    let with_version = |kind: &str, version| {
        let mut graph = graph(RECIPE);
        let nodes = graph.node_weights_mut().filter(|node| node.kind.name == kind);
        nodes.for_each(|node| Arc::make_mut(&mut node.kind).version = version);
        graph
    };
    let end = "computed by a build of other versions or numerics and must be computed again: that took";
    let newer = with_version("pretrain/simclr", 2);
    assert_eq!(
        line(&memory, &newer),
        Some(format!("2 stages were {end} 3 h 00 min")),
        "what waits for them is no other"
    );
    assert_eq!(line(&memory, &with_version("data/cifar10", 2)), Some(format!("1 stage was {end} 1 h 30 min")));

    let mut other = graph(RECIPE);
    other.node_weights_mut().for_each(|node| node.numerics = "libtorch of tomorrow".into());
    assert_eq!(line(&memory, &other), Some(format!("10 stages were {end} 15 h 00 min")), "those that wait too");
    memory.results.lock().unwrap().clear();
    assert_eq!(line(&memory, &newer), Some(format!("2 stages were {end} 0.0 s")), "nobody knows any more");
}
