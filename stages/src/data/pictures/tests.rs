use super::*;
use image::{DynamicImage, GrayImage, Rgb, RgbImage, Rgba, RgbaImage};
use std::path::PathBuf;

fn ramp() -> RgbImage {
    RgbImage::from_fn(32, 16, |x, y| Rgb([8 * x as u8, 16 * y as u8, 100]))
}

#[test]
fn every_kind_of_png_becomes_the_same_eight_bit_colours() {
    let folder = tempfile::tempdir().unwrap();
    let decoded = |name: &str, image: DynamicImage| {
        let path = folder.path().join(name);
        image.save(&path).unwrap();
        read(&path, true).unwrap()
    };
    let plain = decoded("plain.png", ramp().into());
    assert_eq!((plain.height, plain.width, &plain.rgb, plain.is_turned), (16, 32, ramp().as_raw(), false));
    let hidden = RgbaImage::from_fn(32, 16, |x, y| {
        let Rgb([r, g, b]) = *ramp().get_pixel(x, y);
        Rgba([r, g, b, 0])
    });
    assert_eq!(decoded("alpha.png", hidden.into()), plain);
    assert_eq!(decoded("deep.png", DynamicImage::from(ramp()).into_rgb16().into()), plain);
    let grey = decoded("grey.png", GrayImage::from_fn(2, 1, |x, _| image::Luma([7 + x as u8])).into());
    assert_eq!(grey.rgb, [7, 7, 7, 8, 8, 8]);
}

/// Files that `tests/pictures/generate.py` makes, and what Pillow makes of each.
fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(folder);
    list(&folder).unwrap().pictures.iter().map(|file| folder.join(file)).collect()
}

fn name(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

fn assert_as_by_pillow(file: &Path, picture: &Picture, shape: [usize; 2]) {
    assert_eq!([picture.height, picture.width], shape, "{}", file.display());
    let expected = std::fs::read(file.with_file_name(format!("{}.rgb", name(file)))).unwrap();
    let worst = picture.rgb.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    // Decoders of JPEG round otherwise, and interpolate otherwise where colours have half the resolution.
    let allowed = match name(file) {
        "halved.jpg" => 6,
        // Converted twice.
        "ycck.jpg" => 3,
        name if name.ends_with(".jpg") => 2,
        "jpeg.tif" => 2,
        _ => 0,
    };
    assert!(worst <= allowed, "{} is off by {worst}, of 255", file.display());
}

#[test]
fn files_of_every_kind_are_decoded_as_by_pillow() {
    let files = [corpus("kinds"), corpus("tails")].concat();
    assert_eq!(files.len(), 38 + 2);
    for file in files {
        let picture = read(&file, false).unwrap_or_else(|error| panic!("{}: {error:#}", file.display()));
        assert_as_by_pillow(&file, &picture, [30, 40]);
    }
}

#[test]
fn pictures_are_turned_as_by_pillow() {
    let files = corpus("turned");
    assert_eq!(files.len(), 8 * 4 + 2);
    for file in files {
        let orientation = name(&file).bytes().find(u8::is_ascii_digit).unwrap() - b'0';
        let picture = read(&file, true).unwrap();
        assert_eq!(picture.is_turned, orientation != 1, "{}", file.display());
        let shape = if orientation < 5 { [9, 12] } else { [12, 9] };
        assert_as_by_pillow(&file, &picture, shape);
        let lying = read(&file, false).unwrap();
        assert_eq!((lying.height, lying.width, lying.is_turned), (9, 12, false));
    }
}

/// What Pillow refuses too: `generate.py` asserts it of the same pieces.
#[test]
fn a_file_that_ends_early_is_refused_wherever_it_ends() {
    for file in corpus("kinds") {
        let whole = std::fs::read(&file).unwrap();
        assert!(pixels(&whole, true).is_ok());
        for tenth in 0..10 {
            let length = whole.len() * tenth / 10;
            let found = pixels(&whole[..length], true);
            assert!(found.is_err(), "{}, of which {length} of {} bytes are left", file.display(), whole.len());
        }
    }
}

/// A download that has its full length from the start, and one that was "repaired".
#[test]
fn a_jpeg_whose_end_is_missing_is_refused_whatever_stands_there() {
    let jpegs = corpus("kinds").into_iter().filter(|file| file.extension().unwrap() == "jpg");
    for file in jpegs {
        let whole = std::fs::read(&file).unwrap();
        for tenth in 5..10 {
            let there = &whole[..whole.len() * tenth / 10];
            let zeros = vec![0; whole.len() - there.len()];
            for rest in [&zeros[..], &[0xff, 0xd9]] {
                let found = pixels(&[there, rest].concat(), true);
                assert!(found.is_err(), "{}, {} bytes and then {rest:02x?}", file.display(), there.len());
            }
        }
        assert!(pixels(&whole[..whole.len() - 2], true).is_err(), "{} without its end marker", file.display());
    }
}

#[test]
fn a_jpeg_under_another_name_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    ramp().save_with_format(&path, ImageFormat::Jpeg).unwrap();
    let picture = read(&path, true).unwrap();
    assert_eq!((picture.height, picture.width), (16, 32));
    // The ramp is smooth, so that JPEG loses little of it.
    let worst = picture.rgb.iter().zip(ramp().as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst < Some(16), "off by {worst:?}");
}

#[test]
fn pictures_are_listed_by_path_and_the_rest_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("b/deep")).unwrap();
    for name in ["b/deep/1.JPG", "b/0.png", "a.jpeg", "notes.txt", ".hidden.png", "b/2.HEIC", "brain.nii.gz", "c.Tiff"]
    {
        std::fs::write(root.join(name), "no picture").unwrap();
    }
    std::os::unix::fs::symlink("nowhere", root.join("b/class")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("b/3.gif")).unwrap();
    std::os::unix::fs::symlink("../a.jpeg", root.join("b/4.jpeg")).unwrap();
    std::fs::write(root.join("b/README"), "no picture").unwrap();
    ramp().save_with_format(root.join("b/image"), ImageFormat::Png).unwrap();
    let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    let listing = list(root).unwrap();
    assert_eq!(listing.pictures, paths(&["a.jpeg", "b/0.png", "b/4.jpeg", "b/deep/1.JPG", "b/image", "c.Tiff"]));
    assert_eq!(listing.unread, paths(&["b/2.HEIC", "brain.nii.gz"]));
    assert_eq!(listing.dangling, paths(&["b/3.gif", "b/class"]));
    assert_eq!(listing.others, paths(&["b/README", "notes.txt"]));
    let kinds = by_ending(listing.pictures.iter().map(PathBuf::as_path));
    assert_eq!(kinds, "2 .jpeg, 1 without an ending, 1 .jpg, 1 .png, 1 .tiff");
    let many = ["a.b", "a.c", "a.d", "a.e", "a.f", "a.g", "b.g"].map(Path::new);
    assert_eq!(by_ending(many), "2 .g, 1 .b, 1 .c, 1 .d, 1 .e, 1 of other endings");
    std::os::unix::fs::symlink(root, root.join("b/up")).unwrap();
    let fault = format!("{:#}", list(root).unwrap_err());
    assert!(fault.contains("b/up is a link to a folder that it lies in"), "{fault}");
}

#[test]
fn faults_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("text.png"), "no picture").unwrap();
    std::fs::write(place("empty.png"), "").unwrap();
    std::fs::write(place("icon.png"), [0, 0, 1, 0, 1, 0]).unwrap();
    image::Rgb32FImage::new(2, 2).save(place("float.tiff")).unwrap();
    let place_of = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/kinds").join(name);
    let cut = |name: &str| std::fs::read(place_of(name)).map(|bytes| bytes[..bytes.len() / 2].to_vec()).unwrap();
    std::fs::write(place("cut.png"), cut("alpha.png")).unwrap();
    std::fs::write(place("cut.webp"), cut("lossy.webp")).unwrap();
    for (name, fault) in [
        ("text.png", "it begins as no picture does that is read: JPEG, PNG, "),
        ("empty.png", "it is empty"),
        ("icon.png", "it is Ico, which is not read: convert it to JPEG or PNG"),
        ("float.tiff", "it holds floating-point numbers, "),
        ("cut.png", "it is damaged or ends early: "),
        ("cut.webp", "it ends early"),
        ("gone.png", "it cannot be read: No such file"),
    ] {
        let found = format!("{:#}", read(&place(name), true).unwrap_err());
        assert!(found.starts_with(fault), "{name}: {found}");
    }
}
