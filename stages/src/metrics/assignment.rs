/// The assignment of rows to columns with the largest sum, where every row has a column of its own or, if there are fewer
/// columns, the other way round: column of each row (Kuhn 1955; shortest augmenting paths, O(n^3)). `gain[row][column]`.
pub fn largest_assignment(gain: &[Vec<f64>]) -> Vec<Option<usize>> {
    let (rows, columns) = (gain.len(), gain.first().map_or(0, Vec::len));
    let size = rows.max(columns);
    // A square of costs; what is missing costs nothing.
    let cost = |row: usize, column: usize| gain.get(row).and_then(|row| row.get(column)).map_or(0.0, |gain| -gain);
    // Place 0 of each list is a helper; rows and columns count from 1. The dual variables of Kuhn's method:
    let (mut of_row, mut of_column) = (vec![0.0; size + 1], vec![0.0; size + 1]);
    let mut row_of = vec![0; size + 1];
    for row in 1..=size {
        row_of[0] = row;
        let (mut column, mut before) = (0, vec![0; size + 1]);
        let (mut slack, mut seen) = (vec![f64::INFINITY; size + 1], vec![false; size + 1]);
        while row_of[column] != 0 {
            seen[column] = true;
            let at = row_of[column];
            for other in (1..=size).filter(|&other| !seen[other]) {
                let reduced = cost(at - 1, other - 1) - of_row[at] - of_column[other];
                if reduced < slack[other] {
                    (slack[other], before[other]) = (reduced, column);
                }
            }
            let unseen = (1..=size).filter(|&other| !seen[other]);
            let next = unseen.min_by(|&a, &b| slack[a].total_cmp(&slack[b])).expect("one is free");
            let delta = slack[next];
            for other in 0..=size {
                if seen[other] {
                    of_row[row_of[other]] += delta;
                    of_column[other] -= delta;
                } else {
                    slack[other] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    let mut assigned = vec![None; rows];
    for (column, row) in row_of[1..=columns].iter().enumerate() {
        if let Some(place) = assigned.get_mut(row - 1) {
            *place = Some(column);
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best_by_trying(gain: &[Vec<f64>], row: usize, taken: &mut Vec<usize>) -> f64 {
        if row == gain.len() {
            return taken.iter().enumerate().map(|(row, &column)| gain[row][column]).sum();
        }
        let mut best = f64::NEG_INFINITY;
        for column in 0..gain[0].len() {
            if !taken.contains(&column) {
                taken.push(column);
                best = best.max(best_by_trying(gain, row + 1, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn it_is_the_best_of_all_that_there_are() {
        let mut rng = crate::random::Rng::new(0, crate::random::Purpose::Noise, &[]);
        for (rows, columns) in [(1, 1), (3, 3), (5, 5), (4, 6), (6, 6), (2, 5)] {
            let gain: Vec<Vec<f64>> = (0..rows).map(|_| (0..columns).map(|_| rng.below(20) as f64).collect()).collect();
            let found = largest_assignment(&gain);
            let sum: f64 = found.iter().enumerate().map(|(row, column)| gain[row][column.unwrap()]).sum();
            assert_eq!(sum, best_by_trying(&gain, 0, &mut vec![]), "{gain:?}");
        }
        let more_rows = largest_assignment(&[vec![1.0], vec![5.0], vec![2.0]]);
        assert_eq!(more_rows, [None, Some(0), None]);
    }
}
