//! Reads a boundary from its JSON tree, within the limits, and compiles it.

use super::filter::{Condition, Conditions, Field, Filter, ListField};
use super::{Boundary, BoundaryError, Leaf, Rule, Target, normal};
use crate::http::path_boundary::{PathBoundary, PatternSet, TextRule, Tree};
use crate::json::Json;
use crate::limits::{BOUNDARY_DEPTH_MAX, BOUNDARY_LIST_MAX, BOUNDARY_NODES_MAX};

/// The whole value of `resources.tunnels`. Patterns are compiled last, once everything else is known to be sound.
pub fn parse(value: &Json) -> Result<Boundary, BoundaryError> {
    let mut grammar = Grammar::default();
    let root = grammar.tree(value, 0, Grammar::leaf)?;
    let pattern_bytes = grammar.patterns.compile()?;
    Ok(Boundary {
        root,
        has_path_rule: grammar.has_path_rule,
        bytes: size_of::<Boundary>()
            + grammar.nodes * size_of::<Tree<Leaf>>()
            + grammar.text_bytes
            + pattern_bytes,
    })
}

/// What reading keeps in mind between the parts of one boundary.
#[derive(Default)]
struct Grammar {
    nodes: usize,
    text_bytes: usize,
    has_path_rule: bool,
    patterns: PatternSet,
}

/// Reads what stands at a leaf of `AND` and `OR`; `usize` is how many of those stand around it.
type ReadLeaf<T> = fn(&mut Grammar, &Json, usize) -> Result<T, BoundaryError>;

impl Grammar {
    /// A value, or values joined by `AND` or `OR`.
    fn tree<T>(
        &mut self,
        value: &Json,
        depth: usize,
        leaf: ReadLeaf<T>,
    ) -> Result<Tree<T>, BoundaryError> {
        self.count()?;
        let Some((operator, children)) = operator(value)? else {
            return Ok(Tree::Leaf(leaf(self, value, depth)?));
        };
        if depth == BOUNDARY_DEPTH_MAX {
            return Err(BoundaryError::TooDeep);
        }
        let children = non_empty(entries(children)?)?
            .iter()
            .map(|child| self.tree(child, depth + 1, leaf))
            .collect::<Result<_, _>>()?;
        Ok(match operator {
            Operator::And => Tree::All(children),
            Operator::Or => Tree::Any(children),
        })
    }

    fn leaf(&mut self, value: &Json, depth: usize) -> Result<Leaf, BoundaryError> {
        let mut target = Target::Everywhere;
        let mut connect = Rule::Allowed;
        let members = non_empty(object(value)?).map_err(|_| BoundaryError::MissingKey)?;
        for (name, value) in members {
            match (name.as_str(), &target) {
                ("projects", Target::Everywhere) => target = Target::Projects(self.ids(value)?),
                ("workspaces", Target::Everywhere) => target = Target::Workspaces(self.ids(value)?),
                ("projects" | "workspaces", _) => return Err(BoundaryError::KeysClash),
                ("scopes", _) => connect = self.scopes(value, depth)?,
                _ => return Err(BoundaryError::UnknownKey),
            }
        }
        Ok(Leaf { target, connect })
    }

    /// The `connect` entry. The others are read as strictly and dropped: this edge does not serve them.
    fn scopes(&mut self, value: &Json, depth: usize) -> Result<Rule, BoundaryError> {
        let mut connect = Rule::Denied;
        let [(name, actions)] = object(value)? else {
            return Err(match object(value)? {
                [] => BoundaryError::MissingKey,
                _ => BoundaryError::UnknownKey,
            });
        };
        if name != "tunnels" {
            return Err(BoundaryError::UnknownKey);
        }
        for (action, value) in non_empty(object(actions)?).map_err(|_| BoundaryError::MissingKey)? {
            match (action.as_str(), value) {
                ("connect", Json::Bool(false)) => connect = Rule::Denied,
                ("connect", Json::Bool(true)) => connect = Rule::Allowed,
                ("connect", value) => connect = self.connect(value, depth)?,
                ("create" | "list", Json::Bool(_)) => {}
                ("create", value) => self.create(value, depth)?,
                ("list", value) => self.list(value, depth)?,
                _ => return Err(BoundaryError::UnknownKey),
            }
        }
        Ok(connect)
    }

    fn connect(&mut self, value: &Json, depth: usize) -> Result<Rule, BoundaryError> {
        let (mut filter, mut path) = (None, None);
        for (name, value) in object(value)? {
            match name.as_str() {
                "filters" => filter = Some(Filter(self.tree(value, depth, Grammar::filter)?)),
                "params" => path = self.params(value, depth)?,
                _ => return Err(BoundaryError::UnknownKey),
            }
        }
        Ok(Rule::If { filter, path })
    }

    fn params(
        &mut self,
        value: &Json,
        depth: usize,
    ) -> Result<Option<PathBoundary>, BoundaryError> {
        let mut path = None;
        for (name, value) in object(value)? {
            if name != "path" {
                return Err(BoundaryError::UnknownKey);
            }
            let rules = self.tree(value, depth, |grammar, value, _| grammar.text(value))?;
            path = Some(PathBoundary::new(rules));
            self.has_path_rule = true;
        }
        Ok(path)
    }

    fn create(&mut self, value: &Json, depth: usize) -> Result<(), BoundaryError> {
        for (name, value) in object(value)? {
            match name.as_str() {
                "filters" => drop(self.tree(value, depth, Grammar::create_filter)?),
                _ => return Err(BoundaryError::UnknownKey),
            }
        }
        Ok(())
    }

    fn list(&mut self, value: &Json, depth: usize) -> Result<(), BoundaryError> {
        for (name, value) in object(value)? {
            match name.as_str() {
                "filters" => drop(self.tree(value, depth, Grammar::filter)?),
                "select" => {
                    for (field, shown) in object(value)? {
                        Field::find(field).ok_or(BoundaryError::UnknownKey)?;
                        flag(shown)?;
                    }
                }
                _ => return Err(BoundaryError::UnknownKey),
            }
        }
        Ok(())
    }

    fn create_filter(&mut self, value: &Json, depth: usize) -> Result<Conditions, BoundaryError> {
        if object(value)?
            .iter()
            .any(|(name, _)| Field::is_assigned(name))
        {
            return Err(BoundaryError::FieldNotAllowed);
        }
        self.filter(value, depth)
    }

    fn filter(&mut self, value: &Json, _: usize) -> Result<Conditions, BoundaryError> {
        let mut conditions = Vec::new();
        for (name, value) in object(value)? {
            let field = Field::find(name).ok_or(BoundaryError::UnknownKey)?;
            self.condition(field, value, &mut conditions)?;
        }
        Ok(Conditions(conditions.into()))
    }

    fn condition(
        &mut self,
        field: Field,
        value: &Json,
        conditions: &mut Vec<Condition>,
    ) -> Result<(), BoundaryError> {
        self.count()?;
        conditions.push(match field {
            Field::Text(field) => Condition::Text(field, self.text(value)?),
            Field::Flag(field) => Condition::Flag(field, flag(value)?),
            Field::Port => Condition::Port(value.as_integer().ok_or(BoundaryError::WrongType)?),
            Field::List(field) => Condition::List(field, self.literal_list(field, value)?),
            Field::Labels => {
                for (label, value) in object(value)? {
                    self.count()?;
                    let label = self.keep(label);
                    conditions.push(Condition::Label(label, self.text(value)?));
                }
                return Ok(());
            }
        });
        Ok(())
    }

    /// An `sfilter`: a text stands for `exact`.
    fn text(&mut self, value: &Json) -> Result<TextRule, BoundaryError> {
        if let Json::String(text) = value {
            return Ok(TextRule::Exact(self.keep(text)));
        }
        let [(operator, value)] = object(value)? else {
            return Err(match object(value)? {
                [] => BoundaryError::MissingKey,
                _ => BoundaryError::KeysClash,
            });
        };
        Ok(match operator.as_str() {
            "exact" => TextRule::Exact(self.keep(string(value)?)),
            "oneof" => TextRule::OneOf(
                entries(value)?
                    .iter()
                    .map(|entry| Ok(self.keep(string(entry)?)))
                    .collect::<Result<_, BoundaryError>>()?,
            ),
            "regex" => TextRule::Pattern(self.patterns.add(string(value)?)?),
            _ => return Err(BoundaryError::UnknownKey),
        })
    }

    fn ids(&mut self, value: &Json) -> Result<Box<[Box<str>]>, BoundaryError> {
        non_empty(entries(value)?)?
            .iter()
            .map(|entry| match string(entry)? {
                "" => Err(BoundaryError::Empty),
                id => Ok(self.keep(id)),
            })
            .collect()
    }

    /// Normalised as a tunnel's own list is, without repetitions.
    fn literal_list(
        &mut self,
        field: ListField,
        value: &Json,
    ) -> Result<Box<[Box<str>]>, BoundaryError> {
        let mut list: Vec<Box<str>> = Vec::new();
        for entry in entries(value)? {
            let entry = string(entry)?;
            let entry = match field {
                ListField::TrustedIps => normal::network(entry).ok_or(BoundaryError::BadEntry)?,
                ListField::GeoIp => normal::country(entry).ok_or(BoundaryError::BadEntry)?,
                ListField::TlsAlpns | ListField::TlsCiphers => entry.to_owned(),
            };
            if !list.iter().any(|known| **known == *entry) {
                list.push(self.keep(&entry));
            }
        }
        Ok(list.into())
    }

    fn keep(&mut self, text: &str) -> Box<str> {
        self.text_bytes += size_of::<Box<str>>() + text.len();
        text.into()
    }

    fn count(&mut self) -> Result<(), BoundaryError> {
        self.nodes += 1;
        if self.nodes > BOUNDARY_NODES_MAX {
            return Err(BoundaryError::TooManyNodes);
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Operator {
    And,
    Or,
}

/// `AND` or `OR` with its value, if the value is an object that has one; it must be the only key.
fn operator(value: &Json) -> Result<Option<(Operator, &Json)>, BoundaryError> {
    let members = value.as_object().unwrap_or_default();
    let operator = members
        .iter()
        .find_map(|(name, inner)| match name.as_str() {
            "AND" => Some((Operator::And, inner)),
            "OR" => Some((Operator::Or, inner)),
            _ => None,
        });
    if operator.is_some() && members.len() > 1 {
        return Err(BoundaryError::KeysClash);
    }
    Ok(operator)
}

fn object(value: &Json) -> Result<&[(String, Json)], BoundaryError> {
    value.as_object().ok_or(BoundaryError::NotAnObject)
}

fn entries(value: &Json) -> Result<&[Json], BoundaryError> {
    let entries = value.as_array().ok_or(BoundaryError::WrongType)?;
    if entries.len() > BOUNDARY_LIST_MAX {
        return Err(BoundaryError::ListTooLong);
    }
    Ok(entries)
}

fn string(value: &Json) -> Result<&str, BoundaryError> {
    value.as_str().ok_or(BoundaryError::WrongType)
}

fn flag(value: &Json) -> Result<bool, BoundaryError> {
    if let Json::Bool(value) = value {
        Ok(*value)
    } else {
        Err(BoundaryError::WrongType)
    }
}

fn non_empty<T>(items: &[T]) -> Result<&[T], BoundaryError> {
    if items.is_empty() {
        return Err(BoundaryError::Empty);
    }
    Ok(items)
}
