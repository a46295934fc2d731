use super::normalise::Normaliser;

/// An image as data sets hold it.
#[derive(Debug, Clone, Copy)]
pub struct Rgb8<'a> {
    pub height: usize,
    pub width: usize,
    /// `[height, width, 3]`
    pub bytes: &'a [u8],
}

impl<'a> Rgb8<'a> {
    pub fn new(bytes: &'a [u8], height: usize, width: usize) -> Self {
        assert_eq!(bytes.len(), height * width * 3, "an image of {height}x{width} pixels has three bytes each");
        Self { height, width, bytes }
    }
}

/// A colour image of values in [0, 1], as operations work on it: a plane of each colour, so that they vectorise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    /// `[3, height, width]`: red, green, blue.
    pub data: Vec<f32>,
}

impl Image {
    pub fn black(height: usize, width: usize) -> Self {
        Self { height, width, data: vec![0.0; height * width * 3] }
    }

    /// Changes its size, and keeps its memory; what it shows then is not specified.
    pub fn resize(&mut self, height: usize, width: usize) {
        (self.height, self.width) = (height, width);
        self.data.resize(height * width * 3, 0.0);
    }

    /// Becomes `source`.
    pub fn load(&mut self, source: Rgb8<'_>) {
        self.resize(source.height, source.width);
        let [reds, greens, blues] = self.planes_mut();
        let pixels = source.bytes.as_chunks::<3>().0;
        for (((red, green), blue), pixel) in reds.iter_mut().zip(greens).zip(blues).zip(pixels) {
            let [r, g, b] = pixel.map(|byte| f32::from(byte) * (1.0 / 255.0));
            (*red, *green, *blue) = (r, g, b);
        }
    }

    /// `[height, width, 3]`, rounded.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut values = vec![0.0; self.data.len()];
        Normaliser::NONE.image(self, &mut values);
        values.into_iter().map(|value| (value * 255.0).round() as u8).collect()
    }

    /// Red, green, blue.
    pub fn planes(&self) -> [&[f32]; 3] {
        let (red, rest) = self.data.split_at(self.height * self.width);
        let (green, blue) = rest.split_at(self.height * self.width);
        [red, green, blue]
    }

    pub fn planes_mut(&mut self) -> [&mut [f32]; 3] {
        let (red, rest) = self.data.split_at_mut(self.height * self.width);
        let (green, blue) = rest.split_at_mut(self.height * self.width);
        [red, green, blue]
    }
}
