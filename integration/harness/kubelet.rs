//! Runs the pod of a manifest as a node would: volumes as folders with the kubelet's layout, owners and modes, and its
//! containers with the users, groups, mounts and limits that the manifest gives them.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{
    Container, Finished, Server,
    container::Contained,
    eventually,
    memory::MemoryLimit,
    pod::{go_quoted, plain_write, swap_link},
};

/// Start command of the image, which `args` follow.
const ENTRY_POINT: &str = "/bin/decant";

/// The pod of a manifest on a node.
pub struct Kubelet<'a> {
    server: &'a Server,
    /// `spec` of the pod.
    spec: Value,
    annotations: BTreeMap<String, String>,
    /// Folders of the volumes; they go with the pod.
    folders: TempDir,
    versions: Cell<u32>,
}

impl<'a> Kubelet<'a> {
    /// Takes a pod in and makes its volumes. `changed` replaces annotations that the manifest has.
    pub fn admit(server: &'a Server, manifest: &str, changed: &[(&str, &str)]) -> Self {
        let (metadata, spec) = pod_of(manifest);
        let mut annotations: BTreeMap<String, String> = metadata["annotations"]
            .as_object()
            .expect("annotations")
            .iter()
            .map(|(name, value)| {
                (name.clone(), value.as_str().expect("Kubernetes takes texts only").to_owned())
            })
            .collect();
        for (name, value) in changed {
            let old = annotations.insert((*name).to_owned(), (*value).to_owned());
            assert!(old.is_some(), "the manifest has no annotation {name}");
        }
        let folders = tempfile::Builder::new().prefix("decant-pod-").tempdir_in("/dev/shm");
        let folders = folders.or_else(|_| TempDir::new()).expect("a temporary folder");
        let node = Self { server, spec, annotations, folders, versions: Cell::new(0) };
        for volume in node.spec["volumes"].as_array().expect("volumes") {
            node.make(volume);
        }
        node
    }

    /// The folder of a volume.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.folders.path().join(name)
    }

    fn fs_group(&self) -> Option<u32> {
        number(&self.spec["securityContext"]["fsGroup"])
    }

    fn make(&self, volume: &Value) {
        let name = volume["name"].as_str().expect("a name");
        let folder = self.volume(name);
        fs::create_dir(&folder).expect("a folder");
        if !volume["emptyDir"].is_null() {
            assert_eq!(volume["emptyDir"]["medium"], "Memory", "{name}: secrets never touch a disk");
        }
        for item in volume["downwardAPI"]["items"].as_array().into_iter().flatten() {
            assert_eq!(item["fieldRef"]["fieldPath"], "metadata.annotations");
            let lines: Vec<String> =
                self.annotations.iter().map(|(name, value)| format!("{name}={}", go_quoted(value))).collect();
            self.project(name, item["path"].as_str().expect("a path"), &lines.join("\n"), 0o644);
        }
        if !volume["projected"].is_null() {
            self.put_token(&json!({}));
        }
    }

    /// Puts a new service-account token into the projected volume, as the kubelet does before the old one ends; `more`
    /// changes what is asked for.
    pub fn put_token(&self, more: &Value) {
        for volume in self.spec["volumes"].as_array().expect("volumes") {
            for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
                let token = &source["serviceAccountToken"];
                let mut asked = json!({
                    "service_account": self.spec["serviceAccountName"],
                    "audience": [token["audience"]],
                    "lifetime": token["expirationSeconds"],
                });
                asked
                    .as_object_mut()
                    .expect("an object")
                    .extend(more.as_object().expect("an object").clone());
                let jwt = self.server.jwt(&asked);
                // With an fsGroup the file is for that group, else it would be for the one user, or for all.
                let mode = if self.fs_group().is_some() { 0o640 } else { 0o644 };
                let (name, path) = (volume["name"].as_str(), token["path"].as_str());
                self.project(name.expect("a name"), path.expect("a path"), &jwt, mode);
            }
        }
    }

    /// A file of a projected volume: a new folder, then the link swapped, then the old folder removed.
    #[expect(clippy::disallowed_methods, reason = "tests play the kubelet")]
    fn project(&self, volume: &str, file: &str, contents: &str, mode: u32) {
        self.versions.set(self.versions.get() + 1);
        let folder = self.volume(volume);
        let data = folder.join(format!("..2026_01_02_03_04_05.{:09}", self.versions.get()));
        fs::create_dir(&data).expect("a folder");
        plain_write(&data.join(file), contents);
        fs::set_permissions(data.join(file), fs::Permissions::from_mode(mode)).expect("a file of ours");
        chown(data.join(file), Some(0), self.fs_group()).expect("rights of root");
        let old = fs::read_link(folder.join("..data")).ok();
        symlink(data.file_name().expect("a name"), folder.join("..data_tmp")).expect("a link");
        swap_link(&folder.join("..data_tmp"), &folder.join("..data"));
        if !folder.join(file).is_symlink() {
            symlink(Path::new("..data").join(file), folder.join(file)).expect("a link");
        }
        if let Some(old) = old {
            fs::remove_dir_all(folder.join(old)).expect("the old folder");
        }
    }

    fn container(&self, name: &str) -> &Value {
        let all = ["initContainers", "containers"]
            .into_iter()
            .flat_map(|list| self.spec[list].as_array())
            .flatten();
        all.into_iter()
            .find(|container| container["name"] == name)
            .unwrap_or_else(|| panic!("no container {name}"))
    }

    /// The containers' start, in the order of the kubelet: what init containers are and in which order they come is the
    /// case's matter.
    pub fn start(&self, name: &str) -> Contained {
        let container = self.container(name);
        let words = |key: &str| -> Vec<&str> {
            container[key]
                .as_array()
                .into_iter()
                .flatten()
                .map(|word| word.as_str().expect("a word"))
                .collect()
        };
        let is_ours = container["image"].as_str().expect("an image").contains("/decant:");
        let mut command = words("command");
        if command.is_empty() {
            assert!(is_ours, "{name}: only our image's entry point is known here");
            command.push(ENTRY_POINT);
        }
        command.extend(words("args"));
        self.contained(container).start(&command)
    }

    fn contained(&self, container: &Value) -> Container {
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true, "here every root is read-only");
        assert_eq!(security["allowPrivilegeEscalation"], false);
        let user = number(&security["runAsUser"]).expect("a user");
        assert!(user != 0 || self.spec["securityContext"]["runAsNonRoot"] != true, "refused by the kubelet");
        let mut contained = Container::new().user(user, number(&security["runAsGroup"]).unwrap_or(0));
        // As runtimes set it for a user that /etc/passwd doesn't know.
        contained = contained.env("HOME", "/").env("VAULT_LOG_LEVEL", "trace");
        if let Some(group) = self.fs_group() {
            contained = contained.in_group(group);
        }
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let folder = self.volume(mount["name"].as_str().expect("a name"));
            let inside = mount["mountPath"].as_str().expect("a path");
            let projected = folder.join("..data").exists();
            contained = match mount["readOnly"] == true || projected {
                true => contained.read_only(&folder, inside),
                false => contained.shared(&folder, inside),
            };
            if !projected {
                self.as_empty_dir(&folder);
            }
        }
        if let Some(limit) = bytes(&container["resources"]["limits"]["memory"]).and_then(MemoryLimit::new) {
            contained = contained.limited(&Arc::new(limit));
        }
        contained
    }

    /// Everybody may write; what is made in it belongs to the fsGroup.
    #[expect(clippy::disallowed_methods, reason = "tests play the kubelet")]
    fn as_empty_dir(&self, folder: &Path) {
        chown(folder, Some(0), self.fs_group()).expect("rights of root");
        let mode = if self.fs_group().is_some() { 0o2777 } else { 0o777 };
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("a folder of ours");
    }

    /// Asks the startup probe until it succeeds, at most as often as the manifest says; returns its last answer.
    pub fn started(&self, name: &str, running: &Contained) -> Finished {
        let probe = &self.container(name)["startupProbe"];
        let command = probe["exec"]["command"].as_array().expect("an exec probe");
        let command: Vec<&str> = command.iter().map(|word| word.as_str().expect("a word")).collect();
        eventually("the startup probe", || {
            Some(running.exec(&command)).filter(|answer| answer.code == Some(0))
        })
    }

    /// Whether a container is a native sidecar.
    pub fn stays(&self, name: &str) -> bool {
        self.container(name)["restartPolicy"] == "Always"
    }
}

/// Metadata and spec of the one pod in a manifest.
fn pod_of(manifest: &str) -> (Value, Value) {
    let object = read(manifest);
    let pod = match object["kind"].as_str() {
        Some("Pod") => &object,
        _ => &object["spec"]["template"],
    };
    (pod["metadata"].clone(), pod["spec"].clone())
}

/// The one document of a text in YAML.
pub fn read(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).expect("YAML");
    assert_eq!(documents.len(), 1, "one document");
    value(&documents[0])
}

fn value(yaml: &Yaml<'_>) -> Value {
    if let Some(list) = yaml.as_sequence() {
        return list.iter().map(value).collect();
    }
    if let Some(map) = yaml.as_mapping() {
        let entry =
            |(key, of): (&Yaml<'_>, &Yaml<'_>)| (key.as_str().expect("a text as key").to_owned(), value(of));
        return Value::Object(map.iter().map(entry).collect::<Map<_, _>>());
    }
    if let Some(text) = yaml.as_str() {
        return text.into();
    }
    if let Some(flag) = yaml.as_bool() {
        return flag.into();
    }
    yaml.as_integer().map_or(Value::Null, Value::from)
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| number.try_into().ok())
}

/// A quantity in mebibytes.
fn bytes(quantity: &Value) -> Option<u64> {
    let number: u64 = quantity.as_str()?.strip_suffix("Mi")?.parse().ok()?;
    Some(number << 20)
}
