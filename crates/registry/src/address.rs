//! Addresses that lead inside: this machine, its link, a private network, a metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

/// How far inside an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// This machine.
    Machine,
    /// Its link, or a metadata service: no answer of a registry sends us there.
    Link,
    /// A private network, or one that nobody routes.
    Private,
    /// Out there.
    Public,
}

/// Names that resolve inside whatever the resolver says, and endings that no public name has.
const METADATA_NAMES: &[&str] = &["metadata", "metadata.google.internal", "instance-data"];
const PRIVATE_ENDINGS: &[&str] = &[
    ".internal",
    ".local",
    ".lan",
    ".intranet",
    ".corp",
    ".home",
    ".home.arpa",
    ".test",
];

/// Tells how far inside a host leads, as far as it can be told without resolving it.
pub(crate) fn place(host: &Host<&str>) -> Place {
    match host {
        Host::Domain(name) => place_of_name(name),
        Host::Ipv4(address) => place_of_v4(*address),
        Host::Ipv6(address) => place_of_v6(*address),
    }
}

/// Tells how far inside a resolved address leads.
pub(crate) fn place_of_address(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(address) => place_of_v4(address),
        IpAddr::V6(address) => place_of_v6(address),
    }
}

fn place_of_name(name: &str) -> Place {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if name == "localhost" || ends(&[".localhost", ".localdomain"]) {
        return Place::Machine;
    }
    if METADATA_NAMES.contains(&name.as_str()) {
        return Place::Link;
    }
    if !name.contains('.') || ends(PRIVATE_ENDINGS) {
        return Place::Private;
    }
    Place::Public
}

/// Where a cloud answers with its instance's credentials, outside the link-local range.
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
const ORACLE_METADATA: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 192);
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const GOOGLE_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

fn place_of_v4(address: Ipv4Addr) -> Place {
    let octets = address.octets();
    let metadata = matches!(address, ALIBABA_METADATA | ORACLE_METADATA | AZURE_WIRE_SERVER);
    if address.is_loopback() || octets[0] == 0 {
        return Place::Machine;
    }
    if metadata || address.is_link_local() {
        return Place::Link;
    }
    let unrouted = match octets {
        [100, second, ..] => second & 0xc0 == 64,
        [192, 0, 0, _] => true,
        [198, 18 | 19, ..] => true,
        [first, ..] => first >= 224,
    };
    if unrouted || address.is_private() || address.is_documentation() {
        return Place::Private;
    }
    Place::Public
}

fn place_of_v6(address: Ipv6Addr) -> Place {
    if let Some(inner) = embedded_v4(address) {
        return place_of_v4(inner);
    }
    let first = address.segments()[0];
    let link_local = first & 0xffc0 == 0xfe80;
    let metadata = matches!(address, AWS_METADATA | GOOGLE_METADATA);
    if address.is_loopback() || address.is_unspecified() {
        return Place::Machine;
    }
    if metadata || link_local {
        return Place::Link;
    }
    // Only 2000::/3 is routed; 2001:db8::/32 is for books, 2001::/32 (Teredo) hides an address.
    let documentation = address.segments()[..2] == [0x2001, 0x0db8];
    let teredo = address.segments()[..2] == [0x2001, 0];
    if first & 0xe000 != 0x2000 || documentation || teredo {
        return Place::Private;
    }
    Place::Public
}

/// Returns the IPv4 address that a mapped, compatible, translated (NAT64) or tunnelled (6to4) address stands for.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(join(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, 0 | 1, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_of(host: &str) -> Place {
        let url = url::Url::parse(&format!("https://{host}/")).unwrap();
        place(&url.host().unwrap())
    }

    #[test]
    fn inner_addresses_are_known_in_every_spelling() {
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "x.localhost",
            "metadata.google.internal",
            "127.0.0.1",
            "127.1",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "2130706433",
            "0x7f000001",
            "017700000001",
            "0.0.0.0",
            "0",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "100.100.100.200",
            "168.63.129.16",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::169.254.169.254]",
            "[2002:7f00:1::]",
            "[fd00:ec2::254]",
        ] {
            assert!(matches!(place_of(host), Place::Machine | Place::Link), "{host}");
        }
    }

    #[test]
    fn this_machine_is_told_from_its_link() {
        assert_eq!(place_of("127.0.0.1"), Place::Machine);
        assert_eq!(place_of("[::ffff:127.0.0.1]"), Place::Machine);
        assert_eq!(place_of("169.254.169.254"), Place::Link);
        assert_eq!(place_of("[fe80::1]"), Place::Link);
    }

    #[test]
    fn private_addresses_are_known() {
        for host in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "167772161",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[fd12::1]",
            "[fc00::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[::ffff:10.0.0.1]",
            "[2001:db8::1]",
            "registry",
            "registry.internal",
            "nas.local",
        ] {
            assert_eq!(place_of(host), Place::Private, "{host}");
        }
    }

    #[test]
    fn public_addresses_are_public() {
        for host in [
            "auth.docker.io",
            "example.com.",
            "8.8.8.8",
            "[2606:4700::1]",
            "[64:ff9b::808:808]",
            "localhost.example.com",
            "127.0.0.1.nip.io",
        ] {
            assert_eq!(place_of(host), Place::Public, "{host}");
        }
    }
}
