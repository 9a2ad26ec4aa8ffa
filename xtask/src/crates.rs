//! The dependency tree as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::Value;

use crate::command::{cargo, output};

/// One crate of the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub licence: Option<String>,
}

/// All crates of the lock file, and which of them go into what is shipped.
pub struct Tree {
    packages: BTreeMap<String, Package>,
    shipped: BTreeSet<String>,
}

/// Members that never leave the developer's machine.
const NOT_SHIPPED: &[&str] = &["poterne-tests", "poterne-wasm-vectors", "xtask"];

impl Tree {
    pub fn read() -> anyhow::Result<Self> {
        let json = output(&mut cargo(&["metadata", "--format-version", "1"]))?;
        Self::from_metadata(&serde_json::from_str(&json)?).context("reading the output of cargo metadata")
    }

    fn from_metadata(metadata: &Value) -> anyhow::Result<Self> {
        let packages = list(&metadata["packages"])?.iter().map(package).collect::<anyhow::Result<_>>()?;
        let edges = list(&metadata["resolve"]["nodes"])?.iter().map(edges).collect::<anyhow::Result<_>>()?;
        let members = list(&metadata["workspace_members"])?;
        let members = members.iter().map(|id| text(id).map(str::to_owned)).collect::<anyhow::Result<_>>()?;
        let shipped = reached(&packages, &edges, members);
        Ok(Self { packages, shipped })
    }

    /// Every crate, those of tests and other platforms too.
    pub fn all(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// The crates that are part of a shipped program or its build, on any platform.
    pub fn shipped(&self) -> impl Iterator<Item = &Package> {
        self.shipped.iter().filter_map(|id| self.packages.get(id))
    }
}

fn list(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value.as_array().context("a list is missing")
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().context("a text is missing")
}

fn package(value: &Value) -> anyhow::Result<(String, Package)> {
    let package = Package {
        name: text(&value["name"])?.to_owned(),
        version: text(&value["version"])?.to_owned(),
        licence: value["license"].as_str().map(str::to_owned),
    };
    Ok((text(&value["id"])?.to_owned(), package))
}

/// A node with those of its dependencies that are not for tests alone.
fn edges(node: &Value) -> anyhow::Result<(String, Vec<String>)> {
    let mut reached = Vec::new();
    for dependency in list(&node["deps"])? {
        if list(&dependency["dep_kinds"])?.iter().any(|kind| kind["kind"] != "dev") {
            reached.push(text(&dependency["pkg"])?.to_owned());
        }
    }
    Ok((text(&node["id"])?.to_owned(), reached))
}

fn reached(
    packages: &BTreeMap<String, Package>,
    edges: &BTreeMap<String, Vec<String>>,
    members: Vec<String>,
) -> BTreeSet<String> {
    let is_shipped = |id: &String| packages.get(id).is_none_or(|p| !NOT_SHIPPED.contains(&p.name.as_str()));
    let mut waiting: Vec<String> = members.into_iter().filter(is_shipped).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id.clone()) {
            waiting.extend(edges.get(&id).into_iter().flatten().cloned());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_tests_need_is_not_shipped() {
        let metadata = json!({
            "packages": [
                {"id": "app", "name": "app", "version": "0.1.0", "license": "MIT"},
                {"id": "lib", "name": "lib", "version": "1.0.0", "license": "MIT"},
                {"id": "oracle", "name": "oracle", "version": "2.0.0", "license": null},
            ],
            "workspace_members": ["app"],
            "resolve": {"nodes": [
                {"id": "app", "deps": [
                    {"pkg": "lib", "dep_kinds": [{"kind": null}]},
                    {"pkg": "oracle", "dep_kinds": [{"kind": "dev"}]},
                ]},
                {"id": "lib", "deps": []},
                {"id": "oracle", "deps": []},
            ]},
        });
        let tree = Tree::from_metadata(&metadata).unwrap();
        assert_eq!(tree.shipped().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["app", "lib"]);
        assert_eq!(tree.all().count(), 3);
    }
}
