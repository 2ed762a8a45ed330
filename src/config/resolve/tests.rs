//! From text to configuration.
