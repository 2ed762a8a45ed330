//! Memory limits of pods: the usual 128 MiB, and 16 MiB, with many secrets and a large one.

use std::fs;

use serde_json::json;

use super::injected::VAULT;
use crate::harness::{
    Pod, canary,
    container::NEEDS,
    eventually,
    memory::MemoryLimit,
    needing,
    server::{Server, say},
};

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

/// Most resident memory of a process so far, in bytes.
fn peak_of(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[test]
fn many_secrets_and_a_large_one_fit_into_128_and_into_16_mib() {
    needing(NEEDS, || {
        let (server, pod, large) = many();
        for mebibytes in [128_u64, 16] {
            let limit = MemoryLimit::new(mebibytes << 20);
            let container = || {
                let container = VAULT
                    .container(&pod)
                    .read_only(&pod.path("configs"), "/vault/configs")
                    .env("VAULT_ADDR", server.url())
                    // The log goes through pipes of this test, and its own text is none of the measurement.
                    .env("VAULT_LOG_LEVEL", "warn");
                limit.iter().fold(container, |container, limit| container.limited(limit))
            };
            let ended =
                container().finish(&["/bin/sh", "-ec", "vault agent -config=/vault/configs/config-init.hcl"]);
            assert_eq!(ended.code, Some(0), "init with {mebibytes} MiB: {}", ended.all());
            assert_eq!(pod.listing().len(), SECRETS + 1);
            assert!(pod.rendered("large").as_ref() == Some(&large), "the large secret is not what it was");
            for name in pod.listing() {
                fs::remove_file(pod.secrets().join(name)).expect("a file");
            }

            let running =
                container().start(&["/bin/sh", "-ec", "vault agent -config=/vault/configs/config.hcl"]);
            eventually("all files", || (pod.listing().len() == SECRETS + 1).then_some(()));
            running.becomes("bin/decant");
            let resident = peak_of(running.pid()).expect("a figure");
            running.stop().expect(0);
            let (peak, how) = match &limit {
                Some(limit) => {
                    (limit.peak().unwrap_or_default(), "with page cache and files, as a control group counts")
                }
                None => (
                    resident,
                    "resident, as measured: there are no control groups here, so nothing enforced it",
                ),
            };
            say(&format!(
                "memory limit of {mebibytes} MiB, {SECRETS} secrets and one of {LARGE} bytes: peak {peak} bytes {how}; \
                 resident at most {resident}"
            ));
            if limit.is_none() {
                assert!(peak + (LARGE as u64) < mebibytes << 20, "more than the limit");
            }
        }
    });
}
