//! What bytes mean: HTTP/2 frames and header blocks, and HTTP/1 heads.

pub mod frame;
