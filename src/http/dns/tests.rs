use std::{fs, net::Ipv4Addr};

use super::*;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(hosts: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Self { folder };
        files.write("hosts", hosts, 1);
        files
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own input file")]
    fn write(&self, name: &str, text: &str, second: u64) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }

    fn dns(&self) -> Dns {
        Dns::from_files(self.folder.path().join("hosts"), self.folder.path().join("resolv.conf"))
    }
}

const fn ip(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

#[tokio::test]
async fn the_hosts_file_is_read_anew_when_it_changes() {
    let files = Files::new("10.0.0.1 vault.test\n");
    let dns = files.dns();
    assert_eq!(dns.lookup("vault.test").await.unwrap(), [ip(1)]);
    files.write("hosts", "10.0.0.2 vault.test\n", 2);
    assert_eq!(dns.lookup("vault.test").await.unwrap(), [ip(2)]);
}

#[tokio::test]
async fn an_alias_has_the_addresses_of_its_host() {
    let dns = Files::new("10.0.0.3 node\n").dns();
    assert_eq!(
        dns.clone().with_alias("Vault.Example", "10.9.9.9").lookup("vault.example").await.unwrap(),
        ["10.9.9.9".parse::<IpAddr>().unwrap()]
    );
    let v6 = dns.with_alias("vault.example", "[::1]");
    assert_eq!(v6.lookup("vault.example").await.unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
}

#[tokio::test]
async fn the_address_that_answered_comes_first_and_after_failures_another() {
    let files = Files::new("10.0.0.1 vault.test\n10.0.0.2 vault.test\n10.0.0.3 vault.test\n");
    let dns = files.dns();
    let order = async || -> Vec<IpAddr> {
        let name = "vault.test".parse().unwrap();
        dns.resolve(name).await.unwrap().map(|address| address.ip()).collect()
    };
    let plain = order().await;
    assert_eq!(plain.len(), 3);
    dns.in_vain();
    assert_eq!(order().await, [plain[1], plain[2], plain[0]]);
    dns.in_vain();
    assert_eq!(order().await, [plain[2], plain[0], plain[1]]);
    dns.answered(plain[1]);
    assert_eq!(order().await, [plain[1], plain[0], plain[2]]);
    dns.in_vain();
    assert_eq!(order().await, [plain[1], plain[2], plain[0]], "what answered is dead now: the next in line");
    dns.answered(ip(9));
    assert_eq!(order().await, plain, "an address of another name changes nothing");
}

#[tokio::test]
async fn without_a_name_server_nobody_is_asked() {
    let dns = Files::new("").dns();
    let error = dns.lookup("vault.example").await.unwrap_err();
    assert!(error.to_string().starts_with("can't resolve `vault.example`: "), "{error}");
    assert!(!error.to_string().contains("Query {"), "no inside of the library: {error}");
    assert!(dns.lookup("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
}

#[tokio::test]
async fn the_name_server_of_resolv_conf_is_asked_with_bounds() {
    let files = Files::new("");
    files.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:9 ndots:5\n", 1);
    let dns = files.dns();
    let resolver = dns.resolver().unwrap();
    assert_eq!(resolver.options().timeout, MAX_TIMEOUT);
    assert_eq!(resolver.options().attempts, MAX_ATTEMPTS);
    assert_eq!(resolver.options().ndots, 5);
}
