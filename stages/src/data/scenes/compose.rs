//! One scene: drawings over photographs, and where they are to be seen.

use super::Params;
use super::layer::Layer;
use crate::data::Region;
use crate::data::emoji::{Drawings, over};
use crate::data::fetched::Kept;
use crate::random::Rng;
use image::imageops::{FilterType, resize};
use image::{GrayImage, Rgb, RgbImage, RgbaImage};
use std::ops::Range;

/// Side of a photograph.
const PHOTOGRAPH: usize = 32;
/// How often a place is drawn for something that would be hidden there, or hide what lies there.
const TRIES: usize = 20;
/// A pixel shows what covers at least so much of it, of 255.
const SHOWN: u8 = 128;

/// What scenes are put together from.
pub struct Material {
    pub drawings: Drawings,
    pub photographs: Kept,
}

/// What those of one split are.
pub struct Pool {
    /// Numbers of photographs.
    pub photographs: Range<usize>,
    /// Numbers of drawings of each class, and behind them of what has none.
    pub drawings: Vec<Vec<usize>>,
}

#[derive(Debug, PartialEq)]
pub struct Scene {
    /// `[height, width, 3]`
    pub image: Vec<u8>,
    /// `[height, width]`: a class and 1, or 0
    pub mask: Vec<u8>,
    pub regions: Vec<Region>,
}

impl Pool {
    /// A scene is put together smaller than it will be, from photographs as they are, and enlarged.
    pub fn compose(&self, material: &Material, params: &Params, rng: &mut Rng) -> Scene {
        let enlarged = between(params.blur, rng);
        let side = (params.size as f32 / enlarged).round() as usize;
        let background = self.background(&material.photographs, side, rng);
        let mut composition = Composition { params, enlarged, side, items: vec![] };
        for class in kinds(params, rng) {
            let drawing = material.drawings.picture(self.drawing(class, rng));
            composition.place(class, &muted(drawing, between(params.saturation, rng)), rng);
        }
        composition.scene(background)
    }

    /// Photographs beside each other, so that it begins somewhere in the first.
    fn background(&self, photographs: &Kept, side: usize, rng: &mut Rng) -> RgbImage {
        let [left, top] = [(); 2].map(|()| rng.below(PHOTOGRAPH));
        let columns = (side + PHOTOGRAPH).div_ceil(PHOTOGRAPH);
        let mut number = || self.photographs.start + rng.below(self.photographs.len());
        let numbers: Vec<usize> = (0..columns * columns).map(|_| number()).collect();
        RgbImage::from_fn(side as u32, side as u32, |x, y| {
            let [x, y] = [x as usize + left, y as usize + top];
            let photograph = photographs.image(numbers[y / PHOTOGRAPH * columns + x / PHOTOGRAPH]);
            let start = (y % PHOTOGRAPH * PHOTOGRAPH + x % PHOTOGRAPH) * 3;
            Rgb([0, 1, 2].map(|channel| photograph[start + channel]))
        })
    }

    fn drawing(&self, class: Option<usize>, rng: &mut Rng) -> usize {
        let numbers = &self.drawings[class.unwrap_or(self.drawings.len() - 1)];
        numbers[rng.below(numbers.len())]
    }
}

/// The classes of what is put into a scene, the lowest first.
fn kinds(params: &Params, rng: &mut Rng) -> Vec<Option<usize>> {
    let mut drawn = |[fewest, most]: [u32; 2]| fewest as usize + rng.below((most - fewest) as usize + 1);
    let [objects, distractors] = [drawn(params.objects), drawn(params.distractors)];
    let mut kinds: Vec<Option<usize>> = (0..objects).map(|_| Some(rng.below(params.classes.len()))).collect();
    kinds.extend(vec![None; distractors]);
    rng.shuffle(&mut kinds);
    kinds
}

fn between([low, high]: [f64; 2], rng: &mut Rng) -> f32 {
    rng.range(low as f32, high as f32)
}

/// Each colour that much of the way from its grey.
fn muted(mut drawing: RgbaImage, saturation: f32) -> RgbaImage {
    for pixel in drawing.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let grey = 0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue);
        let [red, green, blue] =
            [red, green, blue].map(|value| (grey + saturation * (f32::from(value) - grey)).round() as u8);
        pixel.0 = [red, green, blue, alpha];
    }
    drawing
}

/// A scene while it is small.
struct Composition<'a> {
    params: &'a Params,
    enlarged: f32,
    side: usize,
    /// The lowest first.
    items: Vec<Item>,
}

/// What lies in a scene, of a class or a distractor.
struct Item {
    class: Option<usize>,
    layer: Layer,
    /// Of each pixel, how much of it shows this, of 255.
    visible: Vec<u8>,
}

impl Composition<'_> {
    /// Puts a drawing above the others, where of none more is hidden than may be; nowhere, when no such place is found.
    fn place(&mut self, class: Option<usize>, drawing: &RgbaImage, rng: &mut Rng) {
        let (params, side) = (self.params, self.side);
        for _ in 0..TRIES {
            let size = between(params.object_size, rng) / self.enlarged;
            let angle = between([-params.rotation, params.rotation], rng).to_radians();
            let centre = [(); 2].map(|()| rng.range(0.0, side as f32));
            let item = Item::new(class, Layer::new(drawing, size, angle, centre), side);
            let left: Vec<Vec<u8>> = self.items.iter().map(|below| below.left_under(&item.layer, side)).collect();
            let is_enough = |(item, visible): (&Item, &Vec<u8>)| item.is_enough(visible, params.hidden);
            if is_enough((&item, &item.visible)) && self.items.iter().zip(&left).all(is_enough) {
                self.items.iter_mut().zip(left).for_each(|(item, left)| item.visible = left);
                self.items.push(item);
                return;
            }
        }
    }

    fn scene(self, mut image: RgbImage) -> Scene {
        for (place, pixel) in self.items.iter().flat_map(|item| item.layer.within(self.side)) {
            let [x, y] = [place % self.side, place / self.side].map(|along| along as u32);
            let below = image.get_pixel(x, y).0;
            image.put_pixel(x, y, Rgb(over(pixel, below)));
        }
        let size = self.params.size;
        let image = resize(&image, size, size, FilterType::CatmullRom).into_raw();
        let mut scene = Scene { image, mask: vec![0; (size * size) as usize], regions: vec![] };
        for Item { class, visible, .. } in self.items {
            let visible =
                GrayImage::from_raw(self.side as u32, self.side as u32, visible).expect("it has the scene's size");
            let visible = resize(&visible, size, size, FilterType::CatmullRom);
            class.into_iter().for_each(|class| scene.add(class, &visible));
        }
        scene
    }
}

impl Item {
    fn new(class: Option<usize>, layer: Layer, side: usize) -> Self {
        let mut visible = vec![0; side * side];
        layer.within(side).for_each(|(place, pixel)| visible[place] = pixel[3]);
        Self { class, layer, visible }
    }

    /// What stays visible under another layer.
    fn left_under(&self, layer: &Layer, side: usize) -> Vec<u8> {
        let mut left = self.visible.clone();
        for (place, pixel) in layer.within(side) {
            left[place] = ((u32::from(left[place]) * u32::from(255 - pixel[3]) + 127) / 255) as u8;
        }
        left
    }

    /// Whether no more than a share of it is hidden.
    fn is_enough(&self, visible: &[u8], hidden: f64) -> bool {
        let shown: u64 = visible.iter().map(|&value| u64::from(value)).sum();
        shown as f64 >= (1.0 - hidden) * self.layer.coverage() as f64
    }
}

impl Scene {
    /// Notes where something of a class is seen.
    fn add(&mut self, class: usize, visible: &GrayImage) {
        let size = visible.width();
        let mut edges = [size, size, 0, 0];
        for (x, y, _) in visible.enumerate_pixels().filter(|(.., value)| value.0[0] >= SHOWN) {
            self.mask[(y * size + x) as usize] = class as u8 + 1;
            edges = [edges[0].min(x), edges[1].min(y), edges[2].max(x + 1), edges[3].max(y + 1)];
        }
        if edges[0] < edges[2] {
            self.regions.push(Region { class: class as i32, edges: edges.map(|edge| edge as f32) });
        }
    }
}
