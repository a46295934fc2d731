//! What benches have in common: peers in processes of their own, and rounds in which both sides take turns.

mod peer;

pub use peer::Peer;

/// Medians over rounds.
#[derive(Debug)]
pub struct Medians {
    pub ours: f64,
    pub theirs: f64,
    /// Of ours / theirs of each round.
    pub ratio: f64,
}

/// Measures both sides in turns, `rounds` times, after a round that warms up and does not count.
pub fn in_turns(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<f64>,
    theirs: &mut Peer,
) -> anyhow::Result<Medians> {
    theirs.measure()?;
    ours()?;
    let measured = (0..rounds).map(|_| Ok((ours()?, theirs.measure()?))).collect::<anyhow::Result<Vec<_>>>()?;
    let column = |of: fn(&(f64, f64)) -> f64| median(measured.iter().map(of).collect());
    Ok(Medians { ours: column(|r| r.0), theirs: column(|r| r.1), ratio: column(|r| r.0 / r.1) })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
