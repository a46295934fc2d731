/// A colour image of values in [0, 1], row by row, red green blue.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    /// `[height, width, 3]`
    pub data: Vec<f32>,
}

impl Image {
    pub fn from_u8(bytes: &[u8], height: usize, width: usize) -> Self {
        assert_eq!(bytes.len(), height * width * 3, "an image of {height}x{width} pixels has three bytes each");
        Self { height, width, data: bytes.iter().map(|&b| f32::from(b) * (1.0 / 255.0)).collect() }
    }

    pub fn black(height: usize, width: usize) -> Self {
        Self { height, width, data: vec![0.0; height * width * 3] }
    }

    pub fn row(&self, y: usize) -> &[f32] {
        &self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }

    pub fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.data[y * self.width * 3..(y + 1) * self.width * 3]
    }

    pub fn pixels_mut(&mut self) -> impl Iterator<Item = &mut [f32; 3]> {
        self.data.as_chunks_mut::<3>().0.iter_mut()
    }
}
