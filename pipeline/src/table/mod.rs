//! Measurements -> tables. The only module that uses polars.
