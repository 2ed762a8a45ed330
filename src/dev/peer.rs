//! Who is at the other end of a connection: its address and the certificates it showed.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;

/// The client of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// `None` when the server asks itself.
    pub(super) address: Option<IpAddr>,
    /// Its own certificate first, then what should lead to a CA; empty without TLS or without a certificate.
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

impl Peer {
    /// Whether its address lies in one of the blocks, such as `10.0.0.0/8` or `::1`.
    pub(super) fn is_within(&self, blocks: &[String]) -> bool {
        self.address.is_some_and(|address| blocks.iter().any(|block| contains(block, address)))
    }
}

fn contains(block: &str, address: IpAddr) -> bool {
    let (start, bits) = block.split_once('/').unwrap_or((block, "128"));
    let (Ok(start), Ok(bits)) = (start.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let same = |start: u128, address: u128, width: u32| {
        let shift = width.saturating_sub(bits);
        // A shift by the whole width means: every address.
        start.checked_shr(shift) == address.checked_shr(shift)
    };
    match (start, address) {
        (IpAddr::V4(start), IpAddr::V4(address)) => {
            same(u128::from(start.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(start), IpAddr::V6(address)) => same(start.to_bits(), address.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_their_addresses_only() {
        let within = |address: &str, block: &str| {
            Peer { address: Some(address.parse().unwrap()), ..Peer::default() }.is_within(&[block.to_owned()])
        };
        assert!(within("127.0.0.9", "127.0.0.0/8"));
        assert!(!within("128.0.0.9", "127.0.0.0/8"));
        assert!(within("10.1.2.3", "10.1.2.3"));
        assert!(!within("10.1.2.4", "10.1.2.3"));
        assert!(within("10.1.2.4", "0.0.0.0/0"));
        assert!(within("::1", "::1/128"));
        assert!(within("fd00::7", "::/0"));
        assert!(!within("::1", "127.0.0.0/8"));
        assert!(!Peer::default().is_within(&["0.0.0.0/0".to_owned()]));
    }
}
