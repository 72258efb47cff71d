//! Measures the explorer against its limit and its peers: see `benches/explorer.rs`.
