//! What benches have in common: peers in processes of their own, rounds in which both sides take turns, and a training to measure.

mod peer;
pub mod training;

pub use peer::Peer;

/// Medians over rounds.
#[derive(Debug)]
pub struct Medians {
    pub ours: f64,
    /// Of each peer.
    pub peers: Vec<Beside>,
}

#[derive(Debug)]
pub struct Beside {
    pub theirs: f64,
    /// Of ours / theirs of each round.
    pub ratio: f64,
}

/// Measures all sides in turns, `rounds` times, after a round that warms up and does not count.
pub fn in_turns(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<f64>,
    peers: &mut [Peer],
) -> anyhow::Result<Medians> {
    let mut round = || {
        let ours = ours()?;
        Ok((ours, peers.iter_mut().map(Peer::measure).collect::<anyhow::Result<Vec<f64>>>()?))
    };
    round()?;
    type Round = (f64, Vec<f64>);
    let measured = (0..rounds).map(|_| round()).collect::<anyhow::Result<Vec<Round>>>()?;
    let column = |of: &dyn Fn(&Round) -> f64| median(measured.iter().map(of).collect());
    let beside = |peer: usize| Beside { theirs: column(&|r| r.1[peer]), ratio: column(&|r| r.0 / r.1[peer]) };
    Ok(Medians { ours: column(&|r| r.0), peers: (0..measured[0].1.len()).map(beside).collect() })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
