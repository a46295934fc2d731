//! A second data set by whose test split an evaluation judges as well: the same things in another style.

use crate::context::Context;
use crate::data::{Dataset, Split};
use crate::stage::PortAbout;
use anyhow::{Context as _, Result, ensure};

/// The port, and the name under which figures of it stand.
pub const SHIFT: &str = "shift";
/// What is judged.
pub const SPLITS: &[&str] = &["validation", "test", SHIFT];
pub const PORT: PortAbout = PortAbout {
    name: SHIFT,
    type_: "dataset",
    required: false,
    used: true,
    doc: "another data set of the same classes and size, whose test split is judged as well",
};

/// `None` where nothing is connected. `check`: an error where a data set is not what the evaluation needs.
pub fn opened(data: &Dataset, context: &Context, check: impl Fn(&Dataset) -> Result<()>) -> Result<Option<Dataset>> {
    let Some(folder) = context.optional_input(SHIFT) else { return Ok(None) };
    let shift = Dataset::open(folder)?;
    check(&shift).with_context(|| format!("port `{SHIFT}`"))?;
    ensure!(shift.len(Split::Test) > 0, "port `{SHIFT}`: the data set has no test images to judge by");
    let (own, other) = (&data.manifest, &shift.manifest);
    ensure!(
        own.classes == other.classes,
        "port `{SHIFT}`: its classes are {}, and those of the data are {}: they have to be the same, in the same order",
        other.classes.join(", "),
        own.classes.join(", ")
    );
    ensure!(
        own.input() == other.input(),
        "port `{SHIFT}`: its images have {} channels and {} x {} pixels, and those of the data {} channels and {} x {}: they have to be \
         alike",
        other.channels,
        other.height,
        other.width,
        own.channels,
        own.height,
        own.width
    );
    Ok(Some(shift))
}
