//! Robustness at tiny size: what is measured is of the corruptions that were asked for, and what tells no classes is refused.

mod tiny;

use pretext_protocol::Measurement;
use serde_json::{Value, json};
use tiny::place::{Place, figure};

impl Place {
    /// A data set of four classes, and an encoder of its images as they are: a border of black would be all that is seen of faint ones.
    fn new(images: Vec<(Vec<u8>, i32)>, kind: &str) -> Self {
        let place = Self::of_epochs(12);
        tiny::write_dataset_of(&place.at("data"), images);
        std::fs::create_dir(place.at("views")).unwrap();
        std::fs::write(place.at("views/policy.json"), json!({ "operations": [] }).to_string()).unwrap();
        place.run(kind, "encoder", json!({}), &[("views", &place.at("views"))]).unwrap();
        place
    }

    /// Of the encoder that was made as `encoder`.
    fn robustness(&self, name: &str, encoder: &str, change: Value) -> anyhow::Result<Vec<Measurement>> {
        self.run("eval/robustness", name, change, &[("encoder", &self.at(encoder).join("out/encoder"))])
    }
}

/// Patterns of a step of a byte to either side, each a class, on shades that say nothing: far less than any noise.
fn patterns() -> Vec<(Vec<u8>, i32)> {
    let side = tiny::SIZE as usize;
    let of = |number: usize| {
        let value = |place: usize| {
            let (x, y) = (place % side, place / side);
            // Of each pattern as much above its shade as below.
            let above = [1, 2 * (x % 2), 2 * (y % 2), 2 * ((x + y) % 2)][number % 4];
            (110 + number % 3 + above - 1) as u8
        };
        ((0..side * side).flat_map(|place| [value(place); 3]).collect(), (number % 4) as i32)
    };
    (0..217).map(of).collect()
}

#[test]
fn a_network_that_is_right_on_clean_images_guesses_on_noise() {
    let place = Place::new(patterns(), "pretrain/supervised");
    let measured = place.robustness("once", "encoder", json!({ "images": 20 })).unwrap();
    assert_eq!(figure(&measured, "accuracy"), 1.0);
    for noise in ["accuracy_gaussian_noise", "accuracy_shot_noise"] {
        // Of 20 images of four classes at three severities five are of each.
        let guessed = figure(&measured, noise);
        assert!((0.1..0.4).contains(&guessed), "{noise}: {guessed}");
    }
    assert_eq!(place.robustness("again", "encoder", json!({ "images": 20 })).unwrap(), measured);

    let csv = std::fs::read_to_string(place.at("once/side/robustness.csv")).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((lines[0].join(","), lines.len()), ("corruption,severity,accuracy".to_owned(), 1 + 8 * 3));
    let mut means = vec![];
    for lines in lines[1..].chunks(3) {
        assert!(lines.iter().map(|line| line[1]).eq(["1", "3", "5"]));
        let mean = lines.iter().map(|line| line[2].parse::<f64>().unwrap()).sum::<f64>() / 3.0;
        let measured = figure(&measured, &format!("accuracy_{}", lines[0][0]));
        assert!((measured - mean).abs() < 1e-12, "{}: {measured} and {mean}", lines[0][0]);
        means.push(mean);
    }
    let all = figure(&measured, "accuracy_corrupted");
    assert!((all - means.iter().sum::<f64>() / 8.0).abs() < 1e-12, "{all}: {csv}");
    let picture = image::open(place.at("once/side/corrupted.png")).unwrap();
    // Images of 16 pixels, four times as large, with gaps of 2.
    assert_eq!((picture.width(), picture.height()), (4 * 66 + 2, 8 * 66 + 2));
}

#[test]
fn what_tells_no_classes_is_refused() {
    let place = Place::new(tiny::pieces(tiny::SIZE), "pretrain/random");
    let said = place.robustness("refused", "encoder", json!({})).unwrap_err().to_string();
    assert!(said.starts_with("this encoder has no classifier, whose accuracy is looked at: use the"), "{said}");
    let encoder = place.at("encoder/out/encoder");
    place.run("eval/finetune", "tuned", json!({ "steps": 2 }), &[("encoder", &encoder)]).unwrap();
    tiny::change_manifest(&place.at("data"), |manifest| manifest.classes[1] = "dog".to_owned());
    let said = place.robustness("others", "tuned", json!({})).unwrap_err().to_string();
    let expected = "the encoder's classifier tells astronaut, cat, coffee, rocket apart, and the data set's classes are astronaut, dog, ";
    assert!(said.starts_with(expected), "{said}");
}
