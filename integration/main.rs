//! Whole-program tests: the real binary against the embedded dev server and, when named, a real one.

mod demo;
mod layers;
