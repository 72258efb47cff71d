//! Reports over cells made by hand: every format, every mark, every finding, and the edges of the layout.

mod cells;
mod formats;
mod review;
mod transcripts;
