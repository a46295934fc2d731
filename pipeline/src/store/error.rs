use super::{FORMAT, remedy};
use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {doing} {}: {cause}{}", path.display(), remedy::of(cause, path))]
    Io { doing: &'static str, path: PathBuf, cause: io::Error },
    #[error(
        "the store {} is of format {found}, and this pretext knows formats up to {FORMAT}: use the pretext that wrote \
         it or a newer one, or another store with --store FOLDER",
        root.display()
    )]
    Newer { root: PathBuf, found: u32 },
    #[error("{} should hold the number of the store's format and holds `{found}`", place.display())]
    UnknownFormat { place: PathBuf, found: String },
    #[error(
        "{} holds files and is not a pretext store (it has no file `format`): name an empty or a new folder with \
         --store FOLDER",
        root.display()
    )]
    NotAStore { root: PathBuf },
    #[error("{} is a link to {}, where nothing is: an artifact must stand for itself", path.display(), target.display())]
    LeadsNowhere { path: PathBuf, target: PathBuf },
    #[error("{} is {what}; an artifact holds only files, folders, and links between them", path.display())]
    NotPlain { path: PathBuf, what: &'static str },
    #[error("{} cannot be read as what it should hold: {cause}", path.display())]
    Malformed { path: PathBuf, cause: serde_json::Error },
    #[error(
        "{} was changed while it was published (it {damage}): something that the stage has started still writes there",
        path.display()
    )]
    Changed { path: PathBuf, damage: String },
}

pub(super) type Result<T> = std::result::Result<T, StoreError>;

/// Says what was being done, and to which file, when the system refuses.
pub(super) trait IoContext<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T> {
        self.map_err(|cause| StoreError::Io { doing, path: path.to_owned(), cause })
    }
}
