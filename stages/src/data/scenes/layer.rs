//! A drawing as it lies in a scene: scaled and turned.

use image::RgbaImage;
use std::f32::consts::SQRT_2;

/// A pixel is the mean of so many points in each direction.
const POINTS: usize = 4;

/// A square piece of a scene.
#[derive(Debug)]
pub struct Layer {
    left: i32,
    top: i32,
    side: usize,
    /// Red, green, blue and coverage, row by row.
    pixels: Vec<[u8; 4]>,
}

impl Layer {
    /// A drawing whose side is to be `size` pixels long, turned by `angle` radians about its middle, which comes to lie at `centre` (x, y).
    pub fn new(drawing: &RgbaImage, size: f32, angle: f32, centre: [f32; 2]) -> Self {
        let reach = size * SQRT_2 / 2.0;
        let [left, top] = centre.map(|middle| (middle - reach).floor());
        let side = (2.0 * reach).ceil() as usize + 1;
        let (sine, cosine) = angle.sin_cos();
        let scale = drawing.width() as f32 / size;
        let point = |x: f32, y: f32| {
            let [x, y] = [left + x - centre[0], top + y - centre[1]];
            let place = [cosine * x + sine * y, cosine * y - sine * x];
            let [u, v] = place.map(|along| (along * scale).floor() as i64 + i64::from(drawing.width() / 2));
            drawing.get_pixel_checked(u32::try_from(u).ok()?, u32::try_from(v).ok()?)
        };
        let pixel = |number: usize| {
            let [x, y] = [number % side, number / side];
            let along = |place: usize, number: usize| place as f32 + (number as f32 + 0.5) / POINTS as f32;
            let points = (0..POINTS * POINTS).map(|at| point(along(x, at % POINTS), along(y, at / POINTS)));
            mean(points.flatten().map(|pixel| pixel.0))
        };
        Self { left: left as i32, top: top as i32, side, pixels: (0..side * side).map(pixel).collect() }
    }

    /// Of all of it, whether within a scene or not.
    pub fn coverage(&self) -> u64 {
        self.pixels.iter().map(|pixel| u64::from(pixel[3])).sum()
    }

    /// The pixels that lie in a square scene, with their places there, row by row.
    pub fn within(&self, scene: usize) -> impl Iterator<Item = (usize, [u8; 4])> {
        self.pixels.iter().enumerate().filter_map(move |(number, &pixel)| {
            let x = usize::try_from(self.left + (number % self.side) as i32).ok().filter(|x| *x < scene)?;
            let y = usize::try_from(self.top + (number / self.side) as i32).ok().filter(|y| *y < scene)?;
            Some((y * scene + x, pixel))
        })
    }
}

/// Of those of `POINTS` x `POINTS` points that hit the drawing: the colour of what covers, and how much it covers.
fn mean(points: impl Iterator<Item = [u8; 4]>) -> [u8; 4] {
    let (mut colour, mut coverage) = ([0; 3], 0);
    for point in points {
        let alpha = u32::from(point[3]);
        coverage += alpha;
        colour.iter_mut().zip(point).for_each(|(sum, value)| *sum += u32::from(value) * alpha);
    }
    let [red, green, blue] = colour.map(|sum| (sum + coverage / 2).checked_div(coverage).unwrap_or(0) as u8);
    [red, green, blue, (coverage / (POINTS * POINTS) as u32) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;
    use std::f32::consts::FRAC_PI_2;

    /// Opaque; its upper half is red and its lower one blue.
    fn halves() -> RgbaImage {
        RgbaImage::from_fn(64, 64, |_, y| Rgba(if y < 32 { [255, 0, 0, 255] } else { [0, 0, 255, 255] }))
    }

    #[test]
    fn a_drawing_covers_its_square_and_turns_clockwise() {
        let scene = 40;
        let colours = |angle: f32| {
            let layer = Layer::new(&halves(), 20.0, angle, [20.0, 20.0]);
            assert!(layer.coverage().abs_diff(20 * 20 * 255) <= 20 * 255, "{}", layer.coverage());
            let mut colours = vec![[0; 4]; scene * scene];
            layer.within(scene).for_each(|(place, pixel)| colours[place] = pixel);
            [[20, 12], [28, 20], [20, 28], [12, 20]].map(|[x, y]: [usize; 2]| colours[y * scene + x])
        };
        let (red, blue, none) = ([255, 0, 0, 255], [0, 0, 255, 255], [0; 4]);
        let upright = colours(0.0);
        assert_eq!([upright[0], upright[2]], [red, blue]);
        let turned = colours(FRAC_PI_2);
        assert_eq!([turned[1], turned[3]], [red, blue], "what was above is on the right");
        let small = Layer::new(&halves(), 10.0, 0.0, [20.0, 20.0]);
        let mut outside = small.within(scene).filter(|(place, _)| place / scene < 15 || place % scene >= 25);
        assert!(outside.all(|(_, pixel)| pixel == none));
    }

    #[test]
    fn what_lies_outside_a_scene_counts_only_in_the_whole() {
        let layer = Layer::new(&halves(), 20.0, 0.0, [0.0, 10.0]);
        let inside: u64 = layer.within(40).map(|(_, pixel)| u64::from(pixel[3])).sum();
        assert_eq!(2 * inside, layer.coverage());
    }
}
