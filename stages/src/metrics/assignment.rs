/// The assignment of rows to columns with the largest sum, where every row has a column of its own or, if there are fewer
/// columns, the other way round: column of each row (Kuhn 1955; shortest augmenting paths, in as many steps as the fewer squared times
/// the more). `gain[row][column]`.
pub fn largest_assignment(gain: &[Vec<f64>]) -> Vec<Option<usize>> {
    let (rows, columns) = (gain.len(), gain.first().map_or(0, Vec::len));
    if rows <= columns {
        return row_by_row(rows, columns, |row, column| -gain[row][column]).into_iter().map(Some).collect();
    }
    let mut assigned = vec![None; rows];
    for (column, row) in row_by_row(columns, rows, |column, row| -gain[row][column]).into_iter().enumerate() {
        assigned[row] = Some(column);
    }
    assigned
}

/// The column of each row that costs least in all; there are at least as many columns.
fn row_by_row(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    // Place 0 of each list is a helper; rows and columns count from 1. The dual variables of Kuhn's method:
    let (mut of_row, mut of_column) = (vec![0.0; rows + 1], vec![0.0; columns + 1]);
    let mut row_of = vec![0; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let (mut column, mut before) = (0, vec![0; columns + 1]);
        let (mut slack, mut seen) = (vec![f64::INFINITY; columns + 1], vec![false; columns + 1]);
        while row_of[column] != 0 {
            seen[column] = true;
            let at = row_of[column];
            for other in (1..=columns).filter(|&other| !seen[other]) {
                let reduced = cost(at - 1, other - 1) - of_row[at] - of_column[other];
                if reduced < slack[other] {
                    (slack[other], before[other]) = (reduced, column);
                }
            }
            let unseen = (1..=columns).filter(|&other| !seen[other]);
            let next = unseen.min_by(|&a, &b| slack[a].total_cmp(&slack[b])).expect("one is free");
            let delta = slack[next];
            for other in 0..=columns {
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
    let mut column_of = vec![0; rows];
    for (column, &row) in row_of[1..].iter().enumerate() {
        if row > 0 {
            column_of[row - 1] = column;
        }
    }
    column_of
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
        // Ten thousand clusters of two classes take no square of them.
        let many: Vec<Vec<f64>> = (0..10_000).map(|row| vec![f64::from(row % 7), f64::from(row % 5)]).collect();
        let found = largest_assignment(&many);
        assert_eq!(found.iter().flatten().count(), 2);
        assert_eq!(found.iter().position(|column| *column == Some(0)).map(|row| row % 7), Some(6));
    }
}
