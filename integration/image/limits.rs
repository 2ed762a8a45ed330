//! Memory limits of pods: the usual 128 MiB, and 16 MiB, with many secrets and a large one.

use std::{fs, sync::Arc};

use serde_json::json;

use super::injected::SERVICE_ACCOUNT;
use crate::harness::{
    Container, Need, Pod, canary, eventually,
    memory::MemoryLimit,
    needing,
    pod::list,
    process::binary,
    server::{Server, say},
};

/// A limit that nothing enforces proves nothing.
const NEEDS: &[Need] = &[Need::Root, Need::Mounts, Need::Busybox, Need::ControlGroup];

/// Secrets with a template each.
const SECRETS: usize = 500;

/// Bytes of the large one.
const LARGE: usize = 1_000_000;

/// A server with all of them, and a pod with the configurations that render them.
fn many() -> (Server, Pod, String) {
    let server = Server::dev();
    let pod = Pod::at(&server);
    let mut stanzas = String::new();
    let mut add = |name: &str, value: &str| {
        server.put(name, &json!({"v": value}));
        stanzas.push_str(&format!(
            "template {{\n  destination = \"/vault/secrets/{name}\"\n  contents = \"{{{{ with secret \\\"secret/data/{name}\\\" }}}}\
             {{{{ .Data.data.v }}}}{{{{ end }}}}\"\n}}\n"
        ));
    };
    for index in 0..SECRETS {
        add(&format!("s{index}"), &format!("value-{index}"));
    }
    let large = format!("{}{}", canary("large"), "x".repeat(LARGE));
    add("large", &large);
    fs::create_dir(pod.path("configs")).expect("a folder");
    for (name, exit) in [("config-init.hcl", true), ("config.hcl", false)] {
        let text = format!(
            "exit_after_auth = {exit}\nauto_auth {{\n  method \"kubernetes\" {{\n    config = {{ role = \"app\" }}\n  }}\n}}\n{stanzas}"
        );
        pod.write(&format!("configs/{name}"), &text);
    }
    (server, pod, large)
}

/// No release build is larger, in bytes; every other is.
const RELEASE: u64 = 16 << 20;

/// Keeps 64 MiB in memory.
const GREEDY: &str = "head -c 67108864 /dev/zero | tail -c 67108864 > /dev/null";

/// Most resident memory of a process so far, and how much of it is not the program's own file. In bytes.
fn resident(pid: i32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    };
    let most = field("VmHWM:")?;
    Some((most, most.saturating_sub(field("RssFile:")?)))
}

/// A pod's container under a limit, with its files in memory, so that they count.
fn container(server: &Server, pod: &Pod, limit: &Arc<MemoryLimit>) -> Container {
    Container::new()
        .empty_dir("/home/vault")
        .empty_dir("/vault/secrets")
        .read_only(&pod.path("serviceaccount"), SERVICE_ACCOUNT)
        .read_only(&pod.path("configs"), "/vault/configs")
        .env("VAULT_ADDR", server.url())
        // The log goes through pipes of this test, and its own text is none of the measurement.
        .env("VAULT_LOG_LEVEL", "warn")
        .limited(limit)
}

#[test]
fn many_secrets_and_a_large_one_fit_into_128_and_into_16_mib() {
    needing(NEEDS, || {
        let (server, pod, large) = many();
        let limited = |bytes| Arc::new(MemoryLimit::new(bytes).expect("a control group"));
        let narrow = limited(16 << 20);
        let greedy = container(&server, &pod, &narrow).finish(&["/bin/sh", "-c", GREEDY]);
        assert_ne!(greedy.code, Some(0), "64 MiB fit into 16");
        drop(narrow);
        // A build without optimisation is no measure for what a pod needs; the gate runs this on the release build.
        let is_release = fs::metadata(binary()).expect("the program").len() < RELEASE;
        if !is_release {
            say(
                "memory limits: 32 MiB instead of 16, because the build under test is not a release build (DECANT_BIN)",
            );
        }
        for mebibytes in [128_u64, if is_release { 16 } else { 32 }] {
            let limit = limited(mebibytes << 20);
            let init = container(&server, &pod, &limit);
            let ended =
                init.finish(&["/bin/sh", "-ec", "vault agent -config=/vault/configs/config-init.hcl"]);
            assert_eq!(ended.code, Some(0), "init with {mebibytes} MiB: {}", ended.all());
            let secrets = init.outside("/vault/secrets");
            assert_eq!(list(&secrets).len(), SECRETS + 1);
            let rendered = fs::read_to_string(secrets.join("large")).expect("the large secret");
            assert!(rendered == large, "the large secret is not what it was");
            drop(init);

            let sidecar = container(&server, &pod, &limit);
            let running = sidecar.start(&["/bin/sh", "-ec", "vault agent -config=/vault/configs/config.hcl"]);
            let secrets = sidecar.outside("/vault/secrets");
            eventually("all files", || (list(&secrets).len() == SECRETS + 1).then_some(()));
            running.becomes("bin/decant");
            let (most, own) = resident(running.pid()).expect("figures");
            running.stop().expect(0);
            let group = limit.peak();
            let group = group.map_or("not known".to_owned(), |peak| format!("{peak} bytes"));
            say(&format!(
                "memory limit of {mebibytes} MiB, {SECRETS} secrets and one of {LARGE} bytes: the control group's peak, files \
                 in memory included, is {group}; resident at most {most}, without the program's file {own}"
            ));
            assert!(own < mebibytes << 20, "{own} bytes are more than {mebibytes} MiB");
        }
    });
}
