//! Pods in Kubernetes manifests, and the annotations that an injector or we ourselves would read of them.

use std::{path::Path, sync::Arc};

use super::yaml::{self, Kind, Node};
use crate::{
    config::downward::PREFIXES,
    origin::Origin,
    problem::Problem,
    template::go::format::yaml_scalar::{self, Scalar},
};

/// Where each kind keeps the metadata of its pods.
const KINDS: &[(&str, &[&str])] = &[
    ("Pod", &["metadata"]),
    ("Deployment", &["spec", "template", "metadata"]),
    ("StatefulSet", &["spec", "template", "metadata"]),
    ("DaemonSet", &["spec", "template", "metadata"]),
    ("ReplicaSet", &["spec", "template", "metadata"]),
    ("ReplicationController", &["spec", "template", "metadata"]),
    ("Job", &["spec", "template", "metadata"]),
    ("CronJob", &["spec", "jobTemplate", "spec", "template", "metadata"]),
    ("PodTemplate", &["template", "metadata"]),
];

/// The pod of one object.
#[derive(Debug)]
pub struct Pod {
    /// Kind and name, for instance `Deployment web`.
    pub name: String,
    /// The annotations that are ours to read: name, value, line and column of the name.
    pub annotations: Vec<(String, String, (u32, u32))>,
    /// What is wrong with them as Kubernetes sees it.
    pub problems: Vec<Problem>,
}

impl Pod {
    /// Where an annotation stands.
    pub fn place(&self, name: &str, file: &Arc<Path>) -> Option<Origin> {
        let (_, _, (line, column)) = self.annotations.iter().rev().find(|(known, ..)| known == name)?;
        Some(Origin::File { path: file.clone(), line: *line, column: *column })
    }
}

/// Whether a text looks like a manifest rather than like anything else in YAML or JSON.
pub fn looks_like(text: &str) -> bool {
    if text.trim_start().starts_with('{') && !text.trim_start().starts_with("{{") {
        return text.contains("\"kind\"") && text.contains("\"apiVersion\"");
    }
    let says =
        |key: &str| text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    says("kind") && says("apiVersion")
}

/// All pods of a text, those in lists too; objects of other kinds are left out.
///
/// # Errors
/// Text that is no YAML.
pub fn pods(text: &str, file: &Arc<Path>) -> Result<Vec<Pod>, Problem> {
    let documents = yaml::read(text).map_err(|error| {
        let origin = Origin::File { path: file.clone(), line: error.line, column: error.column };
        Problem::error(error.what).at(origin)
    })?;
    let mut pods = Vec::new();
    for document in &documents {
        object(document, file, &mut pods);
    }
    Ok(pods)
}

fn object(node: &Node, file: &Arc<Path>, pods: &mut Vec<Pod>) {
    let Some(kind) = node.get("kind").and_then(Node::text) else { return };
    if kind.ends_with("List") {
        for item in node.get("items").map(Node::items).unwrap_or_default() {
            object(item, file, pods);
        }
        return;
    }
    let Some((_, path)) = KINDS.iter().find(|(known, _)| *known == kind) else { return };
    let metadata = |key: &str| node.at(&["metadata", key]).and_then(Node::text);
    let name = metadata("name").or_else(|| metadata("generateName")).unwrap_or("without a name");
    let mut pod = Pod { name: format!("{kind} {name}"), annotations: Vec::new(), problems: Vec::new() };
    if let Some(found) = node.at(path).and_then(|metadata| metadata.get("annotations")) {
        read(found, file, &mut pod);
    }
    if path.len() > 1 {
        misplaced(node, path, file, &mut pod);
    }
    pods.push(pod);
}

fn is_ours(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn read(annotations: &Node, file: &Arc<Path>, pod: &mut Pod) {
    for (key, value) in annotations.entries() {
        let Some(name) = key.text().filter(|name| is_ours(name)) else { continue };
        let place = (key.line, key.column);
        let origin = |node: &Node| Origin::File { path: file.clone(), line: node.line, column: node.column };
        if pod.annotations.iter().any(|(known, ..)| known == name) {
            let problem =
                Problem::warning(format!("the annotation {name} is there twice, the last one counts"));
            pod.problems.push(problem.at(origin(key)));
        }
        match text_of(value) {
            Ok(text) => pod.annotations.push((name.to_owned(), text.to_owned(), place)),
            Err(found) => pod.problems.push(
                Problem::error(format!(
                    "the value of the annotation {name} is {found}, Kubernetes refuses it"
                ))
                .at(origin(value))
                .expected("a text")
                .hint("put it in quotes"),
            ),
        }
    }
}

/// A value that the API server takes: it refuses bools and numbers without quotes.
fn text_of(value: &Node) -> Result<&str, &'static str> {
    match &value.kind {
        Kind::List(_) => Err("a list"),
        Kind::Map(_) => Err("a mapping"),
        Kind::Scalar { text, plain: false } => Ok(text),
        Kind::Scalar { text, plain: true } => match yaml_scalar::resolve(text) {
            Scalar::Bool(_) => Err("a bool"),
            Scalar::Int(_) | Scalar::Uint(_) | Scalar::Float(_) => Err("a number"),
            Scalar::Null | Scalar::Timestamp | Scalar::Text => Ok(text),
        },
    }
}

/// Annotations of the object itself never reach its pods: the most common mistake.
fn misplaced(node: &Node, path: &[&str], file: &Arc<Path>, pod: &mut Pod) {
    let own = node.at(&["metadata", "annotations"]).map(Node::entries).unwrap_or_default();
    let Some((key, name)) =
        own.iter().find_map(|(key, _)| key.text().filter(|name| is_ours(name)).map(|name| (key, name)))
    else {
        return;
    };
    let what = format!("the annotation {name} is on the object, its pods don't get it");
    let problem = Problem::warning(what)
        .at(Origin::File { path: file.clone(), line: key.line, column: key.column })
        .expected(format!("annotations below {}", path.join(".")));
    pod.problems.push(problem);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Vec<Pod> {
        pods(text, &Path::new("pod.yaml").into()).unwrap()
    }

    #[test]
    fn pods_of_every_kind_are_found() {
        let mut text = String::new();
        for (kind, path) in KINDS {
            text += &format!("---\napiVersion: v1\nkind: {kind}\n");
            let name = "{name: n";
            let annotations = "annotations: {vault.hashicorp.com/role: r, other/x: y}";
            let mut inner = format!("{{{annotations}}}");
            if path.len() == 1 {
                text += &format!("metadata: {name}, {annotations}}}\n");
            } else {
                for key in path[1..].iter().rev() {
                    inner = format!("{{{key}: {inner}}}");
                }
                text += &format!("metadata: {name}}}\n{}: {inner}\n", path[0]);
            }
        }
        text += "---\nkind: Service\nmetadata: {name: s, annotations: {vault.hashicorp.com/role: r}}\n";
        let pods = read_all(&text);
        assert_eq!(pods.len(), KINDS.len());
        for (pod, (kind, _)) in pods.iter().zip(KINDS) {
            assert_eq!(pod.name, format!("{kind} n"));
            assert_eq!(pod.annotations.len(), 1, "{kind}");
            assert!(pod.problems.is_empty(), "{kind}");
        }
    }

    #[test]
    fn lists_are_opened_at_any_depth() {
        let text = "{\"kind\":\"List\",\"items\":[{\"kind\":\"PodList\",\"items\":[{\"kind\":\"Pod\",\
                    \"metadata\":{\"generateName\":\"a-\",\"annotations\":{\"decant/x\":\"y\"}}}]}]}";
        let pods = read_all(text);
        assert_eq!((pods.len(), pods[0].name.as_str(), pods[0].annotations.len()), (1, "Pod a-", 1));
    }

    #[test]
    fn values_that_kubernetes_refuses_and_annotations_in_the_wrong_place_are_told() {
        let text = "kind: Deployment\nmetadata:\n  name: web\n  annotations:\n    vault.hashicorp.com/role: r\nspec:\n  \
                    template:\n    metadata:\n      annotations:\n        vault.hashicorp.com/agent-inject: true\n        \
                    decant/a: 010\n        decant/b: \"1\"\n        decant/b: '2'\n        decant/c: [x]\n";
        let pods = read_all(text);
        let said: Vec<String> = pods[0].problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        pod.yaml:10:43: the value of the annotation vault.hashicorp.com/agent-inject is a bool, Kubernetes refuses it
          expected: a text
          hint: put it in quotes
        pod.yaml:11:19: the value of the annotation decant/a is a number, Kubernetes refuses it
          expected: a text
          hint: put it in quotes
        pod.yaml:13:9: the annotation decant/b is there twice, the last one counts
        pod.yaml:14:19: the value of the annotation decant/c is a list, Kubernetes refuses it
          expected: a text
          hint: put it in quotes
        pod.yaml:5:5: the annotation vault.hashicorp.com/role is on the object, its pods don't get it
          expected: annotations below spec.template.metadata
        ");
    }

    #[test]
    fn manifests_are_told_from_templates_and_configurations() {
        assert!(
            looks_like("apiVersion: v1\nkind: Pod\n")
                && looks_like("{\"kind\" : \"Pod\",\n\"apiVersion\":\"v1\"}")
        );
        assert!(looks_like("# c\n---\nkind: List\napiVersion: v1"));
        assert!(!looks_like("kindness: 1\napiVersion: v1") && !looks_like("a {{ .kind }}: apiVersion:"));
    }
}
