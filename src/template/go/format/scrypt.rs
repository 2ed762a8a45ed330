//! scrypt (RFC 7914), which the Master Password algorithm needs and no library of ours has.

use std::num::NonZeroU32;

use ring::pbkdf2;
use zeroize::Zeroizing;

/// Derives `out.len()` bytes. `cost` is a power of two; memory is `128 × block × cost` bytes.
pub fn derive(password: &[u8], salt: &[u8], cost: usize, block: usize, parallel: usize, out: &mut [u8]) {
    let mut blocks = Zeroizing::new(vec![0u8; parallel * 128 * block]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::MIN, salt, password, &mut blocks);
    for chunk in blocks.chunks_exact_mut(128 * block) {
        mix(chunk, cost, block);
    }
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::MIN, &blocks, password, out);
}

/// RFC 7914 section 5 (scryptROMix).
fn mix(chunk: &mut [u8], cost: usize, block: usize) {
    let words = 32 * block;
    let mut x: Zeroizing<Vec<u32>> =
        Zeroizing::new(chunk.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect());
    let mut scratch = Zeroizing::new(vec![0u32; words]);
    let mut table = Zeroizing::new(vec![0u32; words * cost]);
    for row in table.chunks_exact_mut(words) {
        row.copy_from_slice(&x);
        mix_block(&mut x, &mut scratch);
    }
    for _ in 0..cost {
        let row = x[words - 16] as usize & (cost - 1);
        for (word, other) in x.iter_mut().zip(&table[row * words..(row + 1) * words]) {
            *word ^= other;
        }
        mix_block(&mut x, &mut scratch);
    }
    for (bytes, word) in chunk.chunks_exact_mut(4).zip(x.iter()) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

/// RFC 7914 section 4 (scryptBlockMix): even blocks go to the first half, odd ones to the second.
fn mix_block(x: &mut [u32], scratch: &mut [u32]) {
    let half = x.len() / 2;
    let mut state = [0u32; 16];
    state.copy_from_slice(&x[x.len() - 16..]);
    for (index, piece) in x.chunks_exact(16).enumerate() {
        for (word, other) in state.iter_mut().zip(piece) {
            *word ^= other;
        }
        salsa(&mut state);
        let at = index / 2 * 16 + if index % 2 == 1 { half } else { 0 };
        scratch[at..at + 16].copy_from_slice(&state);
    }
    x.copy_from_slice(scratch);
}

/// Salsa20/8 (RFC 7914 section 3).
fn salsa(state: &mut [u32; 16]) {
    const ROUNDS: [[usize; 4]; 8] = [
        [0, 4, 8, 12],
        [5, 9, 13, 1],
        [10, 14, 2, 6],
        [15, 3, 7, 11],
        [0, 1, 2, 3],
        [5, 6, 7, 4],
        [10, 11, 8, 9],
        [15, 12, 13, 14],
    ];
    let start = *state;
    for _ in 0..4 {
        for [a, b, c, d] in ROUNDS {
            state[b] ^= state[a].wrapping_add(state[d]).rotate_left(7);
            state[c] ^= state[b].wrapping_add(state[a]).rotate_left(9);
            state[d] ^= state[c].wrapping_add(state[b]).rotate_left(13);
            state[a] ^= state[d].wrapping_add(state[c]).rotate_left(18);
        }
    }
    for (word, old) in state.iter_mut().zip(start) {
        *word = word.wrapping_add(old);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::digest::hex, *};

    #[test]
    fn the_rfcs_vectors() {
        let mut out = [0; 64];
        derive(b"", b"", 16, 1, 1, &mut out);
        assert!(hex(&out).starts_with("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"));
        derive(b"password", b"NaCl", 1024, 8, 16, &mut out);
        assert!(hex(&out).starts_with("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"));
    }
}
