//! The way to the server: TLS in all its settings, sockets, proxies, redirects, several addresses.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
};

use serde_json::json;

use crate::harness::{
    Authority, Need, Pod, Relay, Run, Server, canary, each_server,
    names::{DeadEnd, NameServer},
    needing, on_dev,
    process::Finished,
};

const SHOW: &str = "{{ with secret \"secret/data/app\" }}{{ .Data.data.v }}{{ end }}";

/// A pod and the value of the secret's key `v`.
fn ready(server: &Server) -> (Pod, String) {
    let value = canary("v");
    server.put("app", &json!({"v": value}));
    (Pod::at(server), value)
}

/// An agent that renders `v`, once or for good, with these lines in its stanza `vault`.
fn agent(pod: &Pod, server: &Server, vault: &str, more: &str) -> Run {
    let said = format!("address = \"{}\"", server.url());
    let login = pod.login(server, "app").replace(&said, &format!("\n{vault}\n"));
    pod.agent(&format!("{more}\n{login}{}", pod.template("v", SHOW, "")))
}

fn once(pod: &Pod, server: &Server, vault: &str) -> Run {
    agent(pod, server, vault, "exit_after_auth = true")
}

/// It rendered the value, with exit code 0.
#[track_caller]
fn renders(pod: &Pod, value: &str, run: Run) -> Finished {
    let ended = run.finish().expect(0);
    assert_eq!(pod.rendered("v").as_deref(), Some(value));
    fs::remove_file(pod.secrets().join("v")).expect("a file");
    ended
}

/// It says why not, and renders nothing.
#[track_caller]
fn says(pod: &Pod, run: Run, words: &[&str]) {
    let mut agent = run.start();
    let line = agent.prints(words[0]);
    for words in words {
        assert!(line.contains(words), "{words} is missing in {line}");
    }
    assert_eq!(pod.listing(), [""; 0]);
    agent.stop();
}

#[test]
fn a_ca_counts_as_file_folder_or_text_and_nothing_else_is_trusted() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let (ca, stranger) = (Authority::new(), Authority::new());
        let relay = Relay::tls(server.authority(), ca.server(&["localhost"]));
        let address = format!("address = \"https://localhost:{}\"", relay.port());
        fs::create_dir(pod.path("cas")).unwrap();
        let file = pod.write("cas/mine.crt", &ca.pem());
        let other = pod.write("other.pem", &stranger.pem());

        renders(&pod, &value, once(&pod, server, &format!("{address}\nca_cert = \"{file}\"")));
        let folder = format!("{address}\nca_path = \"{}\"", pod.text("cas"));
        renders(&pod, &value, once(&pod, server, &folder));
        renders(&pod, &value, once(&pod, server, &address).env("VAULT_CACERT_BYTES", ca.pem()));
        // The environment beats the file, and a file beats text.
        let run = once(&pod, server, &format!("{address}\nca_cert = \"{other}\"")).env("VAULT_CACERT", &file);
        renders(&pod, &value, run.env("VAULT_CACERT_BYTES", stranger.pem()));

        let before = relay.sent().len();
        let unknown = ["from a CA that is not trusted", "VAULT_CACERT", "ca-cert"];
        says(&pod, once(&pod, server, &address), &unknown);
        says(&pod, once(&pod, server, &format!("{address}\nca_cert = \"{other}\"")), &unknown);
        assert_eq!(relay.sent().len(), before, "not even a login went to a stranger");
    });
}

#[test]
fn files_that_hold_no_certificate_end_the_start_with_their_name() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let (rubbish, ca) = (pod.write("rubbish.pem", "no certificate"), Authority::new());
        let (cert, key) = ca.client();
        let (cert, key) = (pod.write("c.pem", &cert), pod.write("k.pem", &key));
        let (_, foreign) = Authority::new().client();
        let foreign = pod.write("foreign.pem", &foreign);
        for (lines, words) in [
            (format!("ca_cert = \"{rubbish}\""), rubbish.as_str()),
            (format!("ca_cert = \"{}\"", pod.text("none.pem")), "none.pem"),
            (format!("ca_path = \"{}\"", pod.text("nowhere")), "nowhere"),
            (format!("client_cert = \"{cert}\""), "client_key"),
            (format!("client_cert = \"{cert}\"\nclient_key = \"{rubbish}\""), "PRIVATE KEY"),
            (format!("client_cert = \"{cert}\"\nclient_key = \"{foreign}\""), "can't be used together"),
            (format!("client_cert = \"{key}\"\nclient_key = \"{key}\""), "BEGIN CERTIFICATE"),
            ("tls_server_name = \"not a name\"".to_owned(), "tls_server_name"),
        ] {
            let lines = format!("address = \"https://127.0.0.1:1\"\n{lines}");
            let ended = once(&pod, server, &lines).finish().expect(1);
            assert!(ended.all().contains(words), "{words} is missing in {}", ended.all());
        }
    });
}

#[test]
fn a_wrong_name_is_told_and_a_server_name_mends_it_in_the_handshake_too() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let ca = Authority::new();
        let relay = Relay::tls(server.authority(), ca.server(&["vault.example"]));
        let file = pod.write("ca.pem", &ca.pem());
        let lines = format!("address = \"https://{}\"\nca_cert = \"{file}\"", relay.authority());
        says(&pod, once(&pod, server, &lines), &["for other names", "vault.example", "tls_server_name"]);
        renders(&pod, &value, once(&pod, server, &format!("{lines}\ntls_server_name = \"vault.example\"")));
        let run = once(&pod, server, &lines).env("VAULT_TLS_SERVER_NAME", "vault.example");
        renders(&pod, &value, run);
        assert!(relay.names().iter().any(|name| name == "vault.example"), "{:?}", relay.names());
        assert!(relay.sent().contains(&format!("host: {}\r\n", relay.authority())), "{}", relay.sent());
    });
}

#[test]
fn verification_is_skipped_only_when_that_is_said_and_false_means_no() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let relay = Relay::tls(server.authority(), Authority::new().server(&["elsewhere"]));
        let lines = format!("address = \"https://{}\"", relay.authority());
        renders(&pod, &value, once(&pod, server, &format!("{lines}\ntls_skip_verify = true")));
        renders(&pod, &value, once(&pod, server, &lines).env("VAULT_SKIP_VERIFY", "true"));
        let unknown = ["from a CA that is not trusted"];
        says(&pod, once(&pod, server, &lines).env("VAULT_SKIP_VERIFY", "false"), &unknown);
        let run = once(&pod, server, &format!("{lines}\ntls_skip_verify = true"));
        says(&pod, run.env("VAULT_SKIP_VERIFY", "0"), &unknown);
    });
}

#[test]
fn a_server_may_demand_a_client_certificate() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let (ca, clients) = (Authority::new(), Authority::new());
        let relay = Relay::tls(server.authority(), ca.server_for(&["localhost"], &clients));
        let (cert, key) = clients.client();
        let file = pod.write("ca.pem", &ca.pem());
        let lines = format!("address = \"https://localhost:{}\"\nca_cert = \"{file}\"", relay.port());
        says(&pod, once(&pod, server, &lines), &["wants a client certificate"]);
        let run = once(&pod, server, &lines).env("VAULT_CLIENT_CERT_BYTES", &cert);
        renders(&pod, &value, run.env("VAULT_CLIENT_KEY_BYTES", &key));
        let files = format!(
            "{lines}\nclient_cert = \"{}\"\nclient_key = \"{}\"",
            pod.write("c.pem", &cert),
            pod.write("k.pem", &key)
        );
        renders(&pod, &value, once(&pod, server, &files));
        let (cert, key) = Authority::new().client();
        pod.write("c.pem", &cert);
        pod.write("k.pem", &key);
        says(&pod, once(&pod, server, &files), &["TLS failed", "client certificate"]);
    });
}

#[test]
fn changed_certificate_files_count_without_a_restart() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let (old, new) = (Authority::new(), Authority::new());
        let relay = Relay::tls(server.authority(), old.server_for(&["localhost"], &old));
        let put = |authority: &Authority| {
            let (cert, key) = authority.client();
            pod.write("c.pem", &cert);
            pod.write("k.pem", &key);
            pod.write("ca.pem", &authority.pem())
        };
        let ca = put(&old);
        let lines = format!(
            "address = \"https://localhost:{}\"\nca_cert = \"{ca}\"\nclient_cert = \"{}\"\nclient_key = \"{}\"",
            relay.port(),
            pod.text("c.pem"),
            pod.text("k.pem")
        );
        let often = "template_config { static_secret_render_interval = \"1s\" }";
        let mut agent = agent(&pod, server, &lines, often).start();
        pod.becomes("v", &value);

        // The whole cluster changes its authority; connections that are open stay so until they are cut.
        relay.change(new.server_for(&["localhost"], &new));
        relay.cut();
        agent.prints("from a CA that is not trusted");
        let later = canary("later");
        server.put("app", &json!({"v": later}));
        put(&new);
        pod.becomes("v", &later);
        agent.prints("read changed TLS files");
        assert!(agent.is_running());
        agent.stop().expect(0);
    });
}

#[test]
fn a_unix_socket_is_an_address() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let socket = pod.path("vault.sock");
        let relay = Relay::unix(server.authority(), &socket);
        let lines = format!("address = \"unix://{}\"", socket.display());
        // No proxy comes between.
        let run = once(&pod, server, &lines).env("HTTP_PROXY", "http://127.0.0.1:1");
        renders(&pod, &value, run.env("VAULT_PROXY_ADDR", "http://127.0.0.1:1"));
        assert!(relay.sent().contains("host: localhost\r\n"), "{}", relay.sent());
        let gone = format!("address = \"unix://{}\"", pod.text("gone.sock"));
        says(&pod, once(&pod, server, &gone), &["no such socket", "gone.sock"]);
    });
}

#[test]
fn connections_are_kept_unless_that_is_switched_off() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let run = |more: &str, variable: &str| {
            let relay = Relay::plain(server.authority());
            let lines = format!("address = \"http://{}\"", relay.authority());
            let run = agent(&pod, server, &lines, &format!("exit_after_auth = true\n{more}"));
            renders(&pod, &value, run.env("VAULT_AGENT_DISABLE_KEEP_ALIVES", variable));
            (relay.connections(), relay.sent().matches(" HTTP/1.1\r\n").count())
        };
        let (connections, requests) = run("", "");
        assert!(connections < requests, "{connections} connections for {requests} requests");
        let (connections, requests) = run("disable_idle_connections = [\"templating\"]", "");
        assert_eq!(connections, requests);
        let (connections, requests) = run("", "auto-auth");
        assert_eq!(connections, requests);
    });
}

#[test]
fn an_ipv6_address_is_an_address() {
    needing(&[Need::Ipv6], || {
        each_server(|server| {
            let (pod, value) = ready(server);
            let relay = Relay::v6(server.authority());
            let address = format!("http://[::1]:{}", relay.port());
            renders(&pod, &value, once(&pod, server, &format!("address = \"{address}\"")));
            renders(&pod, &value, once(&pod, server, "").env("VAULT_ADDR", &address));
            assert!(relay.sent().contains(&format!("host: [::1]:{}\r\n", relay.port())), "{}", relay.sent());
        });
    });
}

/// Only a proxy knows this host.
const FAR: &str = "vault.far.example";

#[test]
fn a_forward_proxy_leads_to_the_server() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let proxy = Relay::proxy(server.authority());
        let at = format!("http://{}", proxy.authority());
        let lines = format!("address = \"http://{FAR}:8200\"");
        renders(&pod, &value, once(&pod, server, &lines).env("HTTP_PROXY", &at));
        assert!(proxy.sent().contains(&format!("http://{FAR}:8200/v1/auth/kubernetes/login HTTP/1.1")));
        renders(&pod, &value, once(&pod, server, &lines).env("VAULT_HTTP_PROXY", &at));
        let run = once(&pod, server, &lines).env("VAULT_HTTP_PROXY", "http://127.0.0.1:1");
        renders(&pod, &value, run.env("VAULT_PROXY_ADDR", &at));
        // Lower case counts, and the port alone is enough.
        renders(&pod, &value, once(&pod, server, &lines).env("http_proxy", proxy.authority()));
    });
}

#[test]
fn tls_goes_through_a_proxy_untouched() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let ca = Authority::new();
        let tls = Relay::tls(server.authority(), ca.server(&[FAR]));
        let proxy = Relay::proxy(tls.authority());
        let file = pod.write("ca.pem", &ca.pem());
        let lines = format!("address = \"https://{FAR}:8200\"\nca_cert = \"{file}\"");
        let password = canary("proxy");
        let at = format!("http://agent:{password}@{}", proxy.authority());
        renders(&pod, &value, once(&pod, server, &lines).env("HTTPS_PROXY", &at));
        assert!(proxy.sent().contains(&format!("CONNECT {FAR}:8200 HTTP/1.1\r\n")), "{}", proxy.sent());
        assert!(proxy.sent().to_lowercase().contains("proxy-authorization: basic "), "{}", proxy.sent());
        assert!(!proxy.sent().to_lowercase().contains("x-vault-token"), "the proxy sees no token");
        assert_eq!(tls.names().last().map(String::as_str), Some(FAR));
    });
}

#[test]
fn no_proxy_and_this_machine_are_asked_directly() {
    each_server(|server| {
        let (pod, value) = ready(server);
        let proxy = Relay::proxy(server.authority());
        let at = format!("http://{}", proxy.authority());
        let here = format!("address = \"{}\"", server.url());
        renders(&pod, &value, once(&pod, server, &here).env("HTTP_PROXY", &at).env("HTTPS_PROXY", &at));
        let far = format!("address = \"http://{FAR}:8200\"");
        let direct = once(&pod, server, &far).env("HTTP_PROXY", &at).env("NO_PROXY", "*.far.example");
        says(&pod, direct, &["can't resolve", FAR]);
        assert_eq!(proxy.connections(), 0);
    });
}

#[test]
fn a_proxy_that_does_not_work_is_blamed_itself_and_its_password_never_shown() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let lines = format!("address = \"https://{FAR}:8200\"");
        let closed = crate::harness::server::unused_address();
        let password = canary("proxy");
        let with = |authority: &str| {
            once(&pod, server, &lines).env("HTTPS_PROXY", format!("http://agent:{password}@{authority}"))
        };
        says(
            &pod,
            with(&closed),
            &["no way through the proxy", &closed, "HTTPS_PROXY", "connection refused"],
        );
        says(&pod, with("proxy.far.example:3128"), &["no way through the proxy", "proxy.far.example"]);
        let strict = Relay::refusing_proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        says(
            &pod,
            with(strict.authority()),
            &["no way through the proxy", strict.authority(), "authorization"],
        );
        let ended = with("proxy").env("HTTPS_PROXY", format!("socks5://agent:{password}@proxy")).finish();
        assert!(ended.expect(1).all().contains("HTTPS_PROXY is not the URL of an HTTP proxy"));
    });
}

#[test]
fn a_standby_leads_to_the_active_node_and_the_token_goes_along() {
    on_dev("a real cluster has more than one node", |active| {
        let (pod, value) = ready(active);
        let relay = Relay::plain(active.authority());
        let standby = Server::dev();
        let leader = format!("http://localhost:{}", relay.port());
        standby.control("POST", "standby", Some(&json!({"standby": true, "leader": leader})));
        let lines = format!("address = \"{}\"", standby.url());
        renders(&pod, &value, once(&pod, active, &lines));
        let sent = relay.sent();
        assert!(sent.contains("PUT /v1/auth/kubernetes/login") && sent.contains("x-vault-token: "), "{sent}");
    });
}

#[test]
fn a_standby_leads_to_the_active_node_that_has_the_tls_server_name() {
    on_dev("a real cluster has more than one node", |active| {
        let (pod, value) = ready(active);
        let (ca, standby) = (Authority::new(), Server::dev());
        let leader = Relay::tls(active.authority(), ca.server(&["localhost"]));
        // Its address is not what the name stands for, so that nobody gets from it to the leader by the name.
        let follower = Relay::tls_at("127.0.0.3", standby.authority(), ca.server(&["localhost"]));
        let url = format!("https://localhost:{}", leader.port());
        standby.control("POST", "standby", Some(&json!({"standby": true, "leader": url})));
        let lines = format!(
            "address = \"https://{}\"\nca_cert = \"{}\"\ntls_server_name = \"localhost\"",
            follower.authority(),
            pod.write("ca.pem", &ca.pem())
        );
        renders(&pod, &value, once(&pod, active, &lines));
        assert!(leader.sent().contains("PUT /v1/auth/kubernetes/login"), "{}", leader.sent());
    });
}

#[test]
fn a_redirect_never_takes_token_or_jwt_from_tls_to_plain_text_or_to_another_page() {
    on_dev("a real server can't be told where to send clients", |active| {
        let (pod, _) = ready(active);
        let (ca, target, standby) = (Authority::new(), Relay::plain(active.authority()), Server::dev());
        let tls = Relay::tls(standby.authority(), ca.server(&["localhost"]));
        let file = pod.write("ca.pem", &ca.pem());
        let lines = format!("address = \"https://localhost:{}\"\nca_cert = \"{file}\"", tls.port());
        let plain = format!("http://{}", target.authority());
        standby.control("POST", "standby", Some(&json!({"standby": true, "leader": plain})));
        says(&pod, once(&pod, active, &lines), &["redirect that is not followed", "from TLS to plain HTTP"]);
        let page = format!("{plain}/login?next=");
        standby.control("POST", "standby", Some(&json!({"standby": true, "leader": page})));
        let direct = format!("address = \"{}\"", standby.url());
        says(&pod, once(&pod, active, &direct), &["redirect that is not followed", "to another page"]);
        assert_eq!((target.connections(), target.sent()), (0, String::new()));
        // Two standbys that point at each other.
        standby.control("POST", "standby", Some(&json!({"standby": true, "leader": standby.url()})));
        says(&pod, once(&pod, active, &direct), &["redirects again"]);
    });
}

#[test]
fn one_dead_address_of_several_does_not_stop_anybody() {
    needing(&[Need::Root, Need::Mounts], || {
        each_server(|server| {
            const DEAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
            let (pod, value) = ready(server);
            let relay = Relay::plain(server.authority());
            let _dead = DeadEnd::at(SocketAddrV4::new(DEAD, relay.port().parse().unwrap()));
            let names = NameServer::start(&[DEAD, Ipv4Addr::LOCALHOST]);
            let file = pod.write("resolv.conf", &names.resolv_conf());
            let lines = format!("address = \"http://vault.test:{}\"", relay.port());
            renders(&pod, &value, once(&pod, server, &lines).resolv_conf(&file));
            assert!(relay.sent().contains(&format!("host: vault.test:{}\r\n", relay.port())));
        });
    });
}

#[test]
fn an_answer_without_end_is_given_up_at_a_bound() {
    each_server(|server| {
        let (pod, _) = ready(server);
        let endless = Endless::start();
        let lines = format!("address = \"http://{}\"", endless.0);
        let mut agent = once(&pod, server, &lines).start();
        let line = agent.prints("larger than");
        assert!(line.contains("16777216 bytes"), "{line}");
        let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches("kB").trim().parse().unwrap();
        assert!(peak < 96 << 10, "peak {peak} KiB");
        agent.stop();
    });
}

/// A server whose answers never end.
struct Endless(String);

impl Endless {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let authority = listener.local_addr().expect("an address").to_string();
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                std::thread::spawn(move || {
                    let mut head = [0; 4096];
                    let _ = stream.read(&mut head);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
                    // Until the client hangs up.
                    while stream.write_all(&chunk).is_ok() {}
                });
            }
        });
        Self(authority)
    }
}
