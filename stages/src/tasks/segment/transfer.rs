//! A control of segmentation: the mask of the most alike image, copied.

use super::super::shift;
use super::super::tuning::{labelled, labelled_data};
use super::judge::{LABELS, MEASURES, PREDICTIONS, judge};
use super::masks;
use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::{Context, Stopped};
use crate::data::{Dataset, Split};
use crate::features::{batch, check_finite, encode_each, nearest, unit_rows};
use crate::metrics::UNKNOWN;
use crate::stage::{About, DATA, ENCODER, PortAbout, Stage};
use anyhow::{Result, bail};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What segmentation has to beat where images lie alike.
pub struct MaskTransfer;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// training images whose masks may be copied, those that eval/segment draws by the same seed; 0: all
    #[schemars(range(min = 0), extend("x-unit" = "images"))]
    images: u32,
    /// of the images whose masks may be copied
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Stage for MaskTransfer {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/mask_transfer",
        summary: "Segmentation's control: the mask of the training image that is most alike, as it is",
        docs: "Each image of validation and test gets the mask of that training image with a mask whose features (a code, where the encoder \
               has one) have the largest cosine with its own; nothing is trained, enlarged or moved. With `pretrain/pixels` images are \
               compared pixel by pixel. Where images lie alike (slices of one head, a camera that stands still) a network that does no \
               better may have learned to find the image and no more. Of images that are equally near the first counts; what nobody \
               knows of a copied mask is background. The files beside the result are those of eval/segment. After label transfer (Liu, \
               Yuen & Torralba 2011, doi:10.1109/TPAMI.2011.131), without its alignment of the two images.",
        needs: &[DATA, PortAbout { doc: "by whose features images are alike", ..ENCODER }, shift::PORT],
        gives: &[PREDICTIONS],
        measures: MEASURES,
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = labelled_data(context)?;
        let shift = shift::opened(&data, context, |shift| masks::check(shift, Split::Test))?;
        Split::LABELLED.into_iter().try_for_each(|split| masks::check(&data, split))?;
        let images = labelled(&data, params.images as usize, params.seed)?;
        masks::check_to_train_on(&data, &images)?;
        context.measure(LABELS.name, "", images.len() as f64);

        let encoder = EncoderArtifact::open(context.input("encoder")?, &context.device)?;
        encoder.artifact.check_channels(&data.manifest)?;
        encoder.takes([data.manifest.height, data.manifest.width])?;
        let features = Features { encoder: &encoder, context };
        let mut bank = vec![];
        features.each(&data, &images, "training images", |units| {
            bank.push(units);
            Ok(())
        })?;
        let bank = Tensor::cat(bank, 0);
        let copied = |place: u32| data.mask(images[place as usize]).expect("masks were looked for");
        let told = |shown: &u8| if *shown == UNKNOWN { 0 } else { *shown };
        let trusted = encoder.artifact.clone().trained_on(&data, &images);
        judge(&data, shift.as_ref(), &trusted, context, |judged, split| {
            let (rows, mut masks): (Vec<usize>, Vec<u8>) = (judged.rows(split).collect(), vec![]);
            features.each(judged, &rows, split.name(), |units| {
                let Some(found) = nearest(&bank, &units, 1, |_| !context.stopping()) else { bail!(Stopped) };
                found.iter().for_each(|found| masks.extend(copied(found[0].index).iter().map(told)));
                Ok(())
            })?;
            Ok(masks)
        })
    }
}

/// What makes images alike.
struct Features<'a> {
    encoder: &'a Frozen,
    context: &'a Context<'a>,
}

impl Features<'_> {
    /// Gives those of some rows, of length one, batch by batch.
    fn each(
        &self,
        data: &Dataset,
        rows: &[usize],
        name: &str,
        mut take: impl FnMut(Tensor<2>) -> Result<()>,
    ) -> Result<()> {
        let Self { encoder, context } = *self;
        let normal = [encoder.artifact.mean.as_slice(), &encoder.artifact.sd];
        let mut meter = context.meter(name, rows.len() as u64, "images");
        let at_once = batch([data.manifest.height, data.manifest.width]);
        let mut done = 0;
        encode_each(
            data,
            rows,
            normal,
            at_once,
            context,
            |x| encoder.features(x),
            |rows, values| {
                check_finite(&values)?;
                let width = values.len() / rows.len();
                take(unit_rows(values.chunks_exact(width), width, &context.device))?;
                done += rows.len() as u64;
                meter.at(done, &[]);
                Ok(())
            },
        )
    }
}
