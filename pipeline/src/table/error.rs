use crate::recipe::TableSpec;
use std::error::Error;
use std::path::PathBuf;

/// Why there are no tables.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error(
        "a table may not be called `{name}`: {name}.csv is written for every recipe. Give it another name under `tables:`"
    )]
    ReservedName { name: String },
    #[error("table `{table}` stands on axis `{axis}`, whose labels are not known; known are: {known}")]
    UnknownAxis { table: String, axis: String, known: String },
    #[error("cannot lay out {what} as columns")]
    Frame { what: String, source: Box<dyn Error + Send + Sync> },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// Files that stand beside the tables.
const RESERVED: [&str; 2] = ["measurements", "costs"];

/// Checks what the rest of the module relies on.
pub(super) fn check(specs: &[TableSpec]) -> Result<(), TableError> {
    for spec in specs {
        if RESERVED.contains(&spec.name.as_str()) {
            return Err(TableError::ReservedName { name: spec.name.clone() });
        }
        let known = |axis: &String| spec.labels.iter().any(|(own, _)| own == axis);
        if let Some(axis) = spec.rows.iter().chain(&spec.over).find(|axis| !known(axis)) {
            return Err(TableError::UnknownAxis {
                table: spec.name.clone(),
                axis: axis.clone(),
                known: spec.labels.iter().map(|(axis, _)| axis.as_str()).collect::<Vec<_>>().join(", "),
            });
        }
    }
    Ok(())
}
