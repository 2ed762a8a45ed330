//! Addresses of this machine's network interfaces.

use std::net::IpAddr;

use nix::{
    ifaddrs::getifaddrs,
    net::if_::{InterfaceFlags, if_nametoindex},
    sys::socket::SockaddrStorage,
};

/// Names of flags, in the order in which Go's `net.Flags` prints them.
const FLAGS: [(InterfaceFlags, &str); 6] = [
    (InterfaceFlags::IFF_UP, "up"),
    (InterfaceFlags::IFF_BROADCAST, "broadcast"),
    (InterfaceFlags::IFF_LOOPBACK, "loopback"),
    (InterfaceFlags::IFF_POINTOPOINT, "pointtopoint"),
    (InterfaceFlags::IFF_MULTICAST, "multicast"),
    (InterfaceFlags::IFF_RUNNING, "running"),
];

/// An address, and the interface that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name of the interface.
    pub name: String,
    /// The address.
    pub ip: IpAddr,
    /// How many of its bits name the network.
    pub prefix: u8,
    /// Flags of the interface (`up|broadcast|…`).
    pub flags: String,
    /// Whether the default route for IPv4 leaves there.
    pub is_default: bool,
}

/// All addresses, by interface in the order of the system. None where the system doesn't tell.
pub fn addresses() -> Vec<Address> {
    let default = default_interface();
    let all = getifaddrs().into_iter().flatten();
    let mut found: Vec<(u32, Address)> = all
        .filter_map(|one| {
            let ip = ip(&one.address?)?;
            let prefix = one.netmask.as_ref().and_then(self::ip).map_or(0, |mask| ones(&mask));
            let index = if_nametoindex(one.interface_name.as_str()).unwrap_or(u32::MAX);
            let is_default = default.as_deref() == Some(one.interface_name.as_str());
            let flags = flags(one.flags);
            Some((index, Address { name: one.interface_name, ip, prefix, flags, is_default }))
        })
        .collect();
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, address)| address).collect()
}

/// The interface of the route to everywhere.
fn default_interface() -> Option<String> {
    let routes = std::fs::read_to_string("/proc/net/route").ok()?;
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let (name, destination) = (fields.next()?, fields.next()?);
        (destination == "00000000").then(|| name.to_owned())
    })
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}

/// Bits that are set.
fn ones(mask: &IpAddr) -> u8 {
    let count = match mask {
        IpAddr::V4(mask) => u32::from(*mask).count_ones(),
        IpAddr::V6(mask) => u128::from(*mask).count_ones(),
    };
    u8::try_from(count).unwrap_or(0)
}

fn flags(flags: InterfaceFlags) -> String {
    let set = FLAGS.iter().filter(|(flag, _)| flags.contains(*flag));
    set.map(|(_, name)| *name).collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_its_address() {
        let all = addresses();
        let lo = all.iter().find(|address| address.ip.is_loopback() && address.ip.is_ipv4());
        assert!(lo.is_some_and(|lo| lo.flags.contains("loopback") && lo.prefix == 8), "{all:?}");
        assert_eq!(flags(InterfaceFlags::IFF_RUNNING | InterfaceFlags::IFF_UP), "up|running");
    }
}
