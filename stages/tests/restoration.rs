//! Denoising and inpainting at tiny size: what is measured is of the images that were asked for, spoilt as asked for, and what cannot draw is
//! refused.

mod tiny;

use pretext_protocol::Measurement;
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::augment::{Normaliser, channels_last};
use pretext_stages::data::{Dataset, Split};
use pretext_stages::metrics::image::psnr;
use pretext_stages::nn;
use pretext_stages::nn::layers::Mode;
use serde_json::{Value, json};
use tiny::place::{Place, figure};

impl Place {
    /// A data set, and an encoder of it.
    fn new(kind: &str, change: Value) -> Self {
        let place = Self::of_epochs(30);
        tiny::write_dataset(&place.at("data"));
        place.run(kind, "encoder", change, &[]).unwrap();
        place
    }

    fn denoise(&self, name: &str, change: Value) -> anyhow::Result<Vec<Measurement>> {
        self.run("eval/denoise", name, change, &[("encoder", &self.at("encoder/out/encoder"))])
    }

    fn inpaint(&self, name: &str, change: Value) -> anyhow::Result<Vec<Measurement>> {
        self.run("eval/inpaint", name, change, &[("encoder", &self.at("encoder/out/encoder"))])
    }
}

/// Noise of deviation s is -20 log10 s decibels, but for what is cut off at black and white.
#[test]
fn every_deviation_and_every_method_is_measured() {
    let place = Place::new("pretrain/denoising_autoencoder", json!({}));
    let params = json!({ "gaussian": [0.05, 0.3], "images": 20 });
    let measured = place.denoise("both", params.clone()).unwrap();
    assert_eq!(place.denoise("again", params).unwrap(), measured);
    let csv = std::fs::read_to_string(place.at("both/side/denoise.csv")).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["gaussian", "method", "psnr", "ssim"]);
    let named: Vec<String> = lines[1..].iter().map(|line| format!("{} {}", line[0], line[1])).collect();
    let methods = ["noisy", "median", "nl_means", "encoder"];
    let expected = ["0.05", "0.3"].iter().flat_map(|noise| methods.map(|method| format!("{noise} {method}")));
    assert!(named.iter().cloned().eq(expected), "{named:?}");
    let number = |line: usize, column: usize| lines[line][column].parse::<f64>().unwrap();
    assert!((0.0..1.0).contains(&(number(1, 2) + 20.0 * 0.05f64.log10())), "{csv}");
    // Of values between black and white half of a noise that large is cut off at most.
    assert!((0.0..3.0).contains(&(number(5, 2) + 20.0 * 0.3f64.log10())), "{csv}");
    for (name, method) in [("psnr_noisy", 1), ("psnr_median", 2), ("psnr_nl_means", 3), ("psnr", 4)] {
        let [both, mean] = [figure(&measured, name), (number(method, 2) + number(method + 4, 2)) / 2.0];
        assert!((both - mean).abs() < 1e-9, "{name}: {both} and {mean}");
    }
    // Of little noise filters leave more than an encoder draws through its bottleneck; where there is much, all come nearer than it leaves.
    assert!(number(3, 2) > number(4, 2), "{csv}");
    assert!((6..=8).all(|line| number(line, 2) > number(5, 2)), "{csv}");
    assert!((6..=7).all(|line| number(line, 3) > number(5, 3)), "{csv}");
    let picture = image::open(place.at("both/side/denoised.png")).unwrap();
    // Images of 16 pixels, four times as large, with gaps of 2.
    assert_eq!((picture.width(), picture.height()), (9 * 66 + 2, 8 * 66 + 2));
}

/// Where there is next to no noise it is the image itself that is drawn again.
#[test]
fn what_is_measured_is_what_the_decoder_draws() {
    let place = Place::new("pretrain/denoising_autoencoder", json!({}));
    let found = figure(&place.denoise("hardly", json!({ "gaussian": [0.001], "images": 0 })).unwrap(), "psnr");
    let (folder, device) = (place.at("encoder/out/encoder"), nn::device("cpu").unwrap());
    let frozen = EncoderArtifact::open(&folder, &device).unwrap();
    let (encoder, EncoderArtifact { mean, sd, .. }) = (frozen.encoder().unwrap(), &frozen.artifact);
    let bottleneck = frozen.artifact.open_bottleneck(&folder, &device).unwrap().unwrap();
    let data = Dataset::open(&place.at("data")).unwrap();
    let of_row = |row: usize| {
        let (bytes, mut seen) = (data.image(row), vec![0.0; data.manifest.image_bytes()]);
        Normaliser::new(mean, sd).bytes(&bytes, &mut seen);
        let drawn = bottleneck.redraw(encoder, channels_last(seen, 16, 16, &device), Mode::Eval);
        let drawn: Vec<f32> = drawn.permute([0, 2, 3, 1]).into_data().iter::<f32>().collect();
        let value = |(place, value): (usize, f32)| (value * sd[place % 3] + mean[place % 3]).clamp(0.0, 1.0);
        let clean: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        psnr(&clean, &drawn.into_iter().enumerate().map(value).collect::<Vec<_>>())
    };
    let rows = data.rows(Split::Test);
    let expected = rows.clone().map(of_row).sum::<f64>() / rows.len() as f64;
    assert!((found - expected).abs() < 0.01, "{found} in place of {expected}");
}

/// The pixels that are missing count, and no others: of the mean colour it is told here by hand.
#[test]
fn every_hole_and_every_fill_is_measured() {
    let place = Place::new("pretrain/inpainting", json!({}));
    let params = json!({ "missing": [0.0625, 0.25], "images": 20 });
    let measured = place.inpaint("both", params.clone()).unwrap();
    assert_eq!(place.inpaint("again", params).unwrap(), measured);
    let csv = std::fs::read_to_string(place.at("both/side/inpaint.csv")).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["missing", "method", "psnr", "ssim"]);
    let named: Vec<String> = lines[1..].iter().map(|line| format!("{} {}", line[0], line[1])).collect();
    let methods = ["mean", "median", "harmonic", "encoder"];
    let expected = ["0.0625", "0.25"].iter().flat_map(|hole| methods.map(|method| format!("{hole} {method}")));
    assert!(named.iter().cloned().eq(expected), "{named:?}");
    let number = |line: usize, column: usize| lines[line][column].parse::<f64>().unwrap();
    for (name, method) in [("psnr_mean", 1), ("psnr_median", 2), ("psnr_harmonic", 3), ("psnr", 4)] {
        let [both, mean] = [figure(&measured, name), (number(method, 2) + number(method + 4, 2)) / 2.0];
        assert!((both - mean).abs() < 1e-9, "{name}: {both} and {mean}");
    }

    let data = Dataset::open(&place.at("data")).unwrap();
    let test: Vec<usize> = data.rows(Split::Test).collect();
    let mean = &data.manifest.mean;
    // A quarter of the side in the middle, then half of it.
    for (line, hole) in [(1, 6..10), (5, 4..12)] {
        let of_row = |row: usize| {
            let (image, missing) =
                (data.image(row), |at: usize| hole.contains(&(at / 3 / 16)) && hole.contains(&(at / 3 % 16)));
            let clean: Vec<f32> =
                image.iter().enumerate().filter(|(at, _)| missing(*at)).map(|(_, &v)| f32::from(v) / 255.0).collect();
            psnr(&clean, &(0..clean.len()).map(|at| mean[at % 3]).collect::<Vec<_>>())
        };
        let rows: Vec<usize> = (0..20).map(|number| test[number * test.len() / 20]).collect();
        let expected = rows.iter().map(|&row| of_row(row)).sum::<f64>() / 20.0;
        assert!((number(line, 2) - expected).abs() < 1e-3, "{csv}: {expected}");
    }
    // A small hole in a photograph is like what surrounds it.
    assert!(number(3, 2) > number(1, 2) && number(3, 3) > number(1, 3), "{csv}");
    let picture = image::open(place.at("both/side/inpainted.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (9 * 66 + 2, 8 * 66 + 2));

    let blocks = place.inpaint("blocks", json!({ "region": "blocks", "images": 20, "missing": [0.25] })).unwrap();
    let others =
        place.inpaint("others", json!({ "region": "blocks", "images": 20, "missing": [0.25], "seed": 1 })).unwrap();
    assert_ne!(figure(&blocks, "psnr_mean"), figure(&others, "psnr_mean"), "blocks lie elsewhere at another seed");
}

#[test]
fn what_does_not_draw_is_refused() {
    let refusal =
        |kind: &str, change: Value| Place::new(kind, change).denoise("refused", json!({})).unwrap_err().to_string();
    let begin =
        "the encoder has no decoder that draws images of its features: use one of `pretrain/denoising_autoencoder`";
    let masked = json!({ "epochs": 1 });
    for (kind, change) in [("pretrain/random", json!({})), ("pretrain/pixels", json!({})), ("pretrain/mae", masked)] {
        let said = refusal(kind, change);
        assert!(said.starts_with(begin), "{kind}: {said}");
    }
}
