//! What no policy can do, said before anything is drawn by it.

use super::ops::Size;
use super::{Operation, Policy, space};
use crate::stage::rising;
use anyhow::{Context as _, Result, ensure};

impl Policy {
    /// An error where one of its operations is impossible.
    pub fn check(&self) -> Result<()> {
        let lists: &[Vec<Operation>] = match self {
            Self::Operations(operations) => std::slice::from_ref(operations),
            Self::Views(views) => views,
        };
        lists.iter().flatten().try_for_each(|operation| operation.check().with_context(|| operation.name()))
    }

    /// An error where the first `views` of an image of size `source` cannot be made, or may show nothing of it.
    pub fn check_on(&self, views: usize, source: Size) -> Result<()> {
        for view in 0..views {
            self.operations(view).iter().try_fold(source, |size, operation| operation.check_on(size))?;
        }
        Ok(())
    }
}

impl Operation {
    fn check(&self) -> Result<()> {
        match *self {
            Self::RandomResizedCrop { scale, ratio, size } => {
                rectangle(scale, ratio)?;
                ensure!(size != Some(0), "size is 0, and a view has at least a pixel");
                Ok(())
            }
            Self::RandomErasing { p, scale, ratio } => probability(p).and(rectangle(scale, ratio)),
            Self::HorizontalFlip { p } | Self::Grayscale { p } => probability(p),
            Self::ColorJitter { p, brightness, contrast, saturation, hue } => {
                probability(p)?;
                for (name, strength) in [("brightness", brightness), ("contrast", contrast), ("saturation", saturation)]
                {
                    ensure!(strength >= 0.0, "{name} is {strength}, expected a number >= 0");
                }
                ensure!((0.0..=0.5).contains(&hue), "hue is {hue}, expected a number from 0 to 0.5, half a turn");
                Ok(())
            }
            Self::GaussianBlur { p, sigma } => {
                probability(p)?;
                rising("sigma", sigma)?;
                ensure!(sigma[0] > 0.0, "sigma is [{}, {}], expected numbers > 0", sigma[0], sigma[1]);
                Ok(())
            }
            Self::Solarize { p, threshold } => {
                probability(p)?;
                ensure!((0.0..=1.0).contains(&threshold), "threshold is {threshold}, expected a number from 0 to 1");
                Ok(())
            }
            Self::RandAugment { strength, .. } => {
                let most = space::STRONGEST;
                ensure!(strength <= most, "strength is {strength}, expected a whole number from 0 to {most}");
                Ok(())
            }
            Self::RandomCrop { .. } | Self::TrivialAugment => Ok(()),
        }
    }

    /// The size that it makes of `size`.
    fn check_on(&self, size: Size) -> Result<Size> {
        if let Self::RandomCrop { padding } = *self {
            let Size { height, width } = size;
            ensure!(
                padding < height.min(width),
                "padding is {padding} and the images have {height} x {width} pixels: a view could show nothing but the border; \
                 lower `padding`"
            );
        }
        Ok(self.size(size))
    }

    /// As it is written in a policy: `random_resized_crop`.
    fn name(&self) -> String {
        let written = serde_json::to_value(self).unwrap_or_default();
        written["op"].as_str().unwrap_or("an operation").to_owned()
    }
}

fn probability(p: f32) -> Result<()> {
    ensure!((0.0..=1.0).contains(&p), "p is {p}, expected a probability, from 0 to 1");
    Ok(())
}

/// Shares of an image's area, and ratios of width to height.
fn rectangle(scale: [f32; 2], ratio: [f32; 2]) -> Result<()> {
    rising("scale", scale)?;
    rising("ratio", ratio)?;
    let [low, high] = scale;
    ensure!(low > 0.0 && high <= 1.0, "scale is [{low}, {high}], expected shares of the area, above 0 and at most 1");
    ensure!(ratio[0] > 0.0, "ratio is [{}, {}], expected numbers > 0", ratio[0], ratio[1]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{MultiCropViews, SimClrViews, StandardViews, TrivialAugmentViews};

    /// How a policy of one operation is refused.
    fn refusal(operation: &str) -> String {
        let policy: Policy = serde_json::from_str(&format!(r#"{{"views":[[],[{operation}]]}}"#)).unwrap();
        format!("{:#}", policy.check().unwrap_err())
    }

    #[test]
    fn impossible_operations_are_refused_by_name_and_value() {
        for (operation, said) in [
            (
                r#"{"op":"random_resized_crop","scale":[1.0,0.2],"ratio":[0.75,1.5]}"#,
                "random_resized_crop: scale is [1, 0.2], and the smaller comes first: write [0.2, 1]",
            ),
            (
                r#"{"op":"random_resized_crop","scale":[0.2,1.0],"ratio":[1.5,0.75]}"#,
                "random_resized_crop: ratio is [1.5, 0.75], and the smaller comes first: write [0.75, 1.5]",
            ),
            (
                r#"{"op":"random_resized_crop","scale":[0.2,1.0],"ratio":[0.75,1.5],"size":0}"#,
                "random_resized_crop: size is 0, and a view has at least a pixel",
            ),
            (
                r#"{"op":"random_erasing","p":0.5,"scale":[0.5,1.5],"ratio":[0.3,3.3]}"#,
                "random_erasing: scale is [0.5, 1.5], expected shares of the area, above 0 and at most 1",
            ),
            (
                r#"{"op":"random_erasing","p":0.5,"scale":[0.1,0.2],"ratio":[0,3.3]}"#,
                "random_erasing: ratio is [0, 3.3], expected numbers > 0",
            ),
            (r#"{"op":"horizontal_flip","p":50}"#, "horizontal_flip: p is 50, expected a probability, from 0 to 1"),
            (r#"{"op":"grayscale","p":-0.1}"#, "grayscale: p is -0.1, expected a probability, from 0 to 1"),
            (
                r#"{"op":"color_jitter","p":0.8,"brightness":0.4,"contrast":-1,"saturation":0.4,"hue":0.1}"#,
                "color_jitter: contrast is -1, expected a number >= 0",
            ),
            (
                r#"{"op":"color_jitter","p":0.8,"brightness":0.4,"contrast":0.4,"saturation":0.4,"hue":0.8}"#,
                "color_jitter: hue is 0.8, expected a number from 0 to 0.5, half a turn",
            ),
            (
                r#"{"op":"gaussian_blur","p":0.5,"sigma":[2,0.1]}"#,
                "gaussian_blur: sigma is [2, 0.1], and the smaller comes first: write [0.1, 2]",
            ),
            (r#"{"op":"gaussian_blur","p":0.5,"sigma":[0,2]}"#, "gaussian_blur: sigma is [0, 2], expected numbers > 0"),
            (
                r#"{"op":"solarize","p":0.2,"threshold":128}"#,
                "solarize: threshold is 128, expected a number from 0 to 1",
            ),
            (
                r#"{"op":"rand_augment","number":2,"strength":31}"#,
                "rand_augment: strength is 31, expected a whole number from 0 to 30",
            ),
        ] {
            assert_eq!(refusal(operation), said);
        }
    }

    #[test]
    fn what_our_own_stages_make_is_possible() {
        let source = Size { height: 32, width: 32 };
        for policy in [
            SimClrViews::default_policy(),
            MultiCropViews::default_policy(),
            StandardViews::default_policy(),
            TrivialAugmentViews::default_policy(),
            Policy::identity(),
        ] {
            policy.check().and(policy.check_on(2, source)).unwrap();
        }
    }

    #[test]
    fn a_border_as_wide_as_the_image_is_refused() {
        let policy: Policy = serde_json::from_str(r#"{"operations":[{"op":"random_crop","padding":28}]}"#).unwrap();
        policy.check_on(1, Size { height: 29, width: 32 }).unwrap();
        let error = policy.check_on(1, Size { height: 28, width: 32 }).unwrap_err().to_string();
        assert!(error.starts_with("padding is 28 and the images have 28 x 32 pixels: a view could show"), "{error}");
    }
}
