//! The `views` artifact: random operations, as JSON.

use super::ops::Size;
use super::{Geometry, Image, Operation, Rgb8, operation, picture};
use crate::context::Context;
use crate::json;
use crate::random::{Purpose, Rng};
use crate::stage::VIEWS;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What is done to an image, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// To every view.
    Operations(Vec<Operation>),
    /// To each view of an image. Views beyond the last begin anew with the first.
    Views(Vec<Vec<Operation>>),
}

/// Which view of which image: all that a view depends on beside its policy.
#[derive(Debug, Clone, Copy)]
pub struct ViewKey {
    pub seed: u64,
    pub epoch: usize,
    pub image: usize,
    pub view: usize,
}

impl Policy {
    /// Leaves images as they are.
    pub fn identity() -> Self {
        Self::Operations(vec![])
    }

    /// The views that several policies make, so many of each, one policy's after the other's.
    pub fn side_by_side(policies: &[(Self, usize)]) -> Self {
        let of = |(policy, views): &(Self, usize)| (0..*views).map(|view| policy.operations(view).to_vec()).collect();
        Self::Views(policies.iter().flat_map(of as fn(&(Self, usize)) -> Vec<Vec<Operation>>).collect())
    }

    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("policy.json");
        let policy: Self = json::read(&path)?;
        policy.check().with_context(|| format!("{} cannot be carried out", path.display()))?;
        Ok(policy)
    }

    /// What is connected, or else the kind's own.
    pub fn connected(context: &Context, own: Self) -> Result<Self> {
        context.optional_input(VIEWS.name).map_or(Ok(own), Self::open)
    }

    /// Publishes the policy, with a picture of what it does beside the result.
    pub fn publish(&self, context: &Context) -> Result<()> {
        json::write(&context.output("views")?.join("policy.json"), self)?;
        picture::draw(self, &context.side().join("views.png"))
    }

    pub(super) fn operations(&self, view: usize) -> &[Operation] {
        match self {
            Self::Operations(operations) => operations,
            Self::Views(views) => views.get(view % views.len().max(1)).map_or(&[], Vec::as_slice),
        }
    }

    /// The size of a view of an image of size `source`.
    pub fn size(&self, view: usize, source: Size) -> Size {
        self.operations(view).iter().fold(source, |size, operation| operation.size(size))
    }

    /// Whether a view begins with a crop of its own.
    pub fn begins_with_crop(&self, view: usize) -> bool {
        matches!(self.operations(view).first(), Some(Operation::RandomResizedCrop { .. }))
    }

    /// Makes `image` a view of `source`, and says where its places have gone.
    pub fn apply(&self, source: Rgb8<'_>, place: ViewKey, image: &mut Image) -> Geometry {
        self.apply_as(source, Size { height: source.height, width: source.width }, place, image)
    }

    /// The same, where a crop that says no size gets `size`.
    pub fn apply_as(&self, source: Rgb8<'_>, size: Size, place: ViewKey, image: &mut Image) -> Geometry {
        let ViewKey { seed, epoch, image: index, view } = place;
        let mut rng = Rng::new(seed, Purpose::View, &[epoch as u64, index as u64, view as u64]);
        operation::apply_all(self.operations(view), source, size, image, &mut rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{MultiCropViews, SimClrViews, samples};

    fn view(policy: &Policy, epoch: usize, image: usize, view: usize) -> Image {
        let mut made = Image::default();
        policy.apply(samples()[0].source(), ViewKey { seed: 1, epoch, image, view }, &mut made);
        made
    }

    #[test]
    fn a_view_depends_on_its_place_and_on_nothing_else() {
        let policy = SimClrViews::default_policy();
        assert_eq!(view(&policy, 0, 5, 1), view(&policy, 0, 5, 1));
        assert_ne!(view(&policy, 0, 5, 1), view(&policy, 0, 5, 0));
        assert_ne!(view(&policy, 0, 5, 1), view(&policy, 1, 5, 1));
        assert!(view(&policy, 3, 2, 1).data.iter().all(|v| (0.0..=1.0001).contains(v)));
    }

    #[test]
    fn views_of_one_policy_differ_in_size_and_begin_anew_after_the_last() {
        let policy = MultiCropViews::default_policy();
        let source = Size { height: 64, width: 64 };
        for (number, side) in [(0, 64), (1, 64), (2, 16), (7, 16), (8, 64), (10, 16)] {
            assert_eq!(policy.size(number, source), Size { height: side, width: side }, "view {number}");
            let made = view(&policy, 0, 0, number);
            assert_eq!((made.height, made.width, made.data.len()), (side, side, side * side * 3), "view {number}");
        }
        assert_ne!(view(&policy, 0, 0, 0), view(&policy, 0, 0, 8));
    }

    #[test]
    fn policies_side_by_side_make_their_own_views() {
        let (two, plain) = (SimClrViews::default_policy(), Policy::identity());
        let both = Policy::side_by_side(&[(plain.clone(), 1), (two.clone(), 2)]);
        assert_eq!(both.operations(0), plain.operations(0));
        assert_eq!([both.operations(1), both.operations(2)], [two.operations(0), two.operations(1)]);
    }

    #[test]
    fn a_policy_of_one_list_is_written_as_ever() {
        let text = r#"{"operations":[{"op":"random_resized_crop","scale":[0.5,1.0],"ratio":[0.75,1.5]},{"op":"horizontal_flip","p":0.5}]}"#;
        let policy: Policy = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&policy).unwrap(), text);
        let views = r#"{"views":[[{"op":"grayscale","p":1.0}],[]]}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Policy>(views).unwrap()).unwrap(), views);
    }
}
