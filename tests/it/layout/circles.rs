//! Which modules name which, and the circles in that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::{Modules, Path};
use super::naming::How;

/// A module that names what another one defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    from: Path,
    to: Path,
    /// Whether what it names is a type.
    is_type: bool,
    /// Where, and what.
    said: String,
}

/// All edges: to where a name is defined, and not to who gives it out. To give out what is one's own names nothing, and a
/// module that is brought in without anything of it is only a name.
fn edges(modules: &Modules) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    for (from, module) in &modules.of {
        for naming in &module.namings {
            for meaning in modules.resolve(from, &naming.path) {
                let is_own = naming.how == How::GivesOut && meaning.module.starts_with(from);
                let is_name = meaning.item.is_none() && naming.how != How::Whole;
                if meaning.passed || is_own || is_name || meaning.module == *from {
                    continue;
                }
                let defined = &modules.of[&meaning.module].items;
                let is_type = meaning.item.is_some_and(|item| defined.get(&item) == Some(&true));
                let said = format!("src/{}:{} names {}", module.file, naming.line, naming.path.join("::"));
                edges.insert(Edge { from: from.clone(), to: meaning.module, is_type, said });
            }
        }
    }
    edges
}

/// The node of a folder's own file.
const OWN: &str = "mod.rs";

type Graph<'e> = BTreeMap<&'e str, BTreeMap<&'e str, &'e str>>;

/// The circles of every folder, the shortest that a module is in, each with a reason for every step. The nodes are the
/// folder's own file (`mod.rs`) and each module in it with all that is below. The types of the folder's own
/// file that a module names are no step.
pub(crate) fn circles(modules: &Modules) -> Vec<String> {
    let edges = edges(modules);
    let mut found = Vec::new();
    for folder in modules.of.keys() {
        let mut graph = Graph::new();
        for Edge { from, to, is_type, said } in &edges {
            let (Some(from), Some(to)) = (node(folder, from), node(folder, to)) else { continue };
            if from != to && (to != OWN || !is_type) {
                graph.entry(from).or_default().entry(to).or_insert(said);
            }
        }
        let mut seen = BTreeSet::new();
        for start in graph.keys() {
            let Some(circle) = shortest(&graph, start).filter(|_| !seen.contains(start)) else { continue };
            let steps = circle.iter().zip(circle.iter().cycle().skip(1));
            let steps: Vec<String> =
                steps.map(|(from, to)| format!("\n  {from} → {to}: {}", graph[from][to])).collect();
            found.push(format!("a circle in src/{}:{}", folder.join("/"), steps.concat()));
            seen.extend(circle);
        }
    }
    found
}

/// The node of a module in a folder that it is in.
fn node<'p>(folder: &Path, module: &'p Path) -> Option<&'p str> {
    let below = module.strip_prefix(folder.as_slice())?;
    Some(below.first().map_or(OWN, String::as_str))
}

/// The shortest way from a node back to itself.
fn shortest<'e>(graph: &Graph<'e>, start: &'e str) -> Option<Vec<&'e str>> {
    let (mut ways, mut seen) = (VecDeque::from([vec![start]]), BTreeSet::new());
    while let Some(way) = ways.pop_front() {
        for next in way.last().and_then(|last| graph.get(last)).into_iter().flat_map(BTreeMap::keys) {
            if *next == start {
                return Some(way);
            }
            if seen.insert(*next) {
                ways.push_back(way.iter().copied().chain([*next]).collect());
            }
        }
    }
    None
}
