//! Random boundaries and requests, and what holds for all of them.

use proptest::prelude::*;

use super::*;

const PROJECTS: [&str; 3] = ["p1", "p2", "p3"];
const WORKSPACES: [&str; 2] = ["w1", "w2"];
const WORDS: [&str; 3] = ["web", "api", "we"];
const RULED_PATHS: [&str; 5] = ["/", "/a", "/a/b", "/b", "/ab"];
const PATHS: [ModelPath; 14] = [
    ("/", "/", false),
    ("/a", "/a", false),
    ("/a/b", "/a/b", false),
    ("/%61/b", "/a/b", false),
    ("/ab", "/ab", false),
    ("/a..b", "/a..b", false),
    ("/b", "/b", false),
    ("/a/../b", "/a/../b", true),
    ("/a/%2e%2e/b", "/a/../b", true),
    ("/a/..;x/b", "/a/..;x/b", true),
    ("/a%2fb", "/a/b", true),
    ("/a//b", "/a//b", true),
    ("/a/%252e%252e/b", "/a/%2e%2e/b", true),
    ("/a\\b", "/a\\b", true),
];

/// Any boundary.
pub(crate) fn model() -> impl Strategy<Value = Model> {
    joined(leaf(), 4, 16).prop_map(Model)
}

/// A request in one of these projects.
pub(crate) fn request() -> impl Strategy<Value = ModelRequest> {
    let word = || prop::option::of(prop::sample::select(&WORDS[..]));
    (
        prop::sample::select(&PROJECTS[..]),
        prop::sample::select(&WORKSPACES[..]),
        (word(), word(), word(), word()),
        any::<bool>(),
        prop::sample::select(&PATHS[..]),
    )
        .prop_map(
            |(project, workspace, (name, hostname, env, tier), token_auth, path)| ModelRequest {
                project,
                workspace,
                name,
                hostname,
                token_auth,
                env,
                tier,
                path,
            },
        )
}

fn joined<T: Clone + std::fmt::Debug + 'static>(
    one: impl Strategy<Value = T> + 'static,
    depth: u32,
    size: u32,
) -> impl Strategy<Value = Joined<T>> {
    one.prop_map(Joined::One)
        .prop_recursive(depth, size, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(Joined::And),
                prop::collection::vec(inner, 1..4).prop_map(Joined::Or),
            ]
        })
}

fn text(of: &'static [&'static str]) -> impl Strategy<Value = Text> {
    let one = move || prop::sample::select(of);
    prop_oneof![
        one().prop_map(Text::Exact),
        prop::collection::vec(one(), 0..3).prop_map(Text::OneOf),
        one().prop_map(Text::Begins),
    ]
}

fn filter() -> impl Strategy<Value = ModelFilter> {
    let rule = || prop::option::weighted(0.2, text(&WORDS));
    let workspace = prop::option::weighted(0.1, text(&WORKSPACES));
    let token_auth = prop::option::weighted(0.2, any::<bool>());
    (rule(), rule(), workspace, token_auth, rule(), rule()).prop_map(
        |(name, hostname, workspace_id, token_auth, env, tier)| ModelFilter {
            name,
            hostname,
            workspace_id,
            token_auth,
            env,
            tier,
        },
    )
}

fn path() -> impl Strategy<Value = Joined<Text>> {
    joined(text(&RULED_PATHS), 2, 6)
}

fn leaf() -> impl Strategy<Value = ModelLeaf> {
    let some_of =
        |ids: &'static [&'static str]| prop::collection::vec(prop::sample::select(ids), 1..3);
    let projects = || some_of(&PROJECTS).prop_map(ModelTarget::Projects);
    let target = prop_oneof![
        2 => Just(ModelTarget::Everywhere),
        2 => projects(),
        1 => some_of(&WORKSPACES).prop_map(ModelTarget::Workspaces),
    ];
    let rules = (
        prop::option::weighted(0.6, joined(filter(), 2, 4)),
        prop::option::weighted(0.6, path()),
    );
    let connect = prop_oneof![
        1 => Just(ModelConnect::ListOnly),
        1 => any::<bool>().prop_map(ModelConnect::Bool),
        6 => rules.prop_map(|(filter, path)| ModelConnect::Rules { filter, path }),
    ];
    let scoped = (target, connect).prop_map(|(target, connect)| ModelLeaf { target, connect });
    let unscoped = projects().prop_map(|target| ModelLeaf {
        target,
        connect: ModelConnect::NoScopes,
    });
    prop_oneof![6 => scoped, 1 => unscoped]
}

/// What makes a leaf narrower.
#[derive(Clone, Debug)]
enum Narrowing {
    Project(&'static str),
    Filter(Joined<ModelFilter>),
    Path(Joined<Text>),
}

fn narrowing() -> impl Strategy<Value = Narrowing> {
    prop_oneof![
        prop::sample::select(&PROJECTS[..]).prop_map(Narrowing::Project),
        joined(filter(), 2, 4).prop_map(Narrowing::Filter),
        path().prop_map(Narrowing::Path),
    ]
}

impl Narrowing {
    fn of(&self, leaf: ModelLeaf) -> ModelLeaf {
        let ModelLeaf { target, connect } = leaf;
        let (filter, path) = match connect.clone() {
            ModelConnect::NoScopes | ModelConnect::Bool(true) => (None, None),
            ModelConnect::Rules { filter, path } => (filter, path),
            ModelConnect::ListOnly | ModelConnect::Bool(false) => {
                return ModelLeaf { target, connect };
            }
        };
        match self {
            Narrowing::Project(id) => match target {
                ModelTarget::Everywhere => ModelLeaf {
                    target: ModelTarget::Projects(vec![id]),
                    connect,
                },
                ModelTarget::Projects(ids) if ids.contains(id) => ModelLeaf {
                    target: ModelTarget::Projects(vec![id]),
                    connect,
                },
                ModelTarget::Projects(_) | ModelTarget::Workspaces(_) => ModelLeaf {
                    target,
                    connect: ModelConnect::Bool(false),
                },
            },
            Narrowing::Filter(new) => {
                let filter = Some(both(filter, new));
                let connect = ModelConnect::Rules { filter, path };
                ModelLeaf { target, connect }
            }
            Narrowing::Path(new) => {
                let path = Some(both(path, new));
                let connect = ModelConnect::Rules { filter, path };
                ModelLeaf { target, connect }
            }
        }
    }
}

fn both<T: Clone>(old: Option<Joined<T>>, new: &Joined<T>) -> Joined<T> {
    let all = old.into_iter().chain([new.clone()]);
    Joined::And(all.collect())
}

impl<T> Joined<T> {
    /// The same with the leaf of this number changed, counted round and round.
    fn changed(self, number: usize, change: &dyn Fn(T) -> T) -> Self {
        let leaves = self.leaves();
        let mut left = number % leaves;
        self.change(&mut left, change)
    }

    fn leaves(&self) -> usize {
        match self {
            Joined::And(list) | Joined::Or(list) => list.iter().map(Joined::leaves).sum(),
            Joined::One(_) => 1,
        }
    }

    /// `left`: leaves before the one that is meant.
    fn change(self, left: &mut usize, change: &dyn Fn(T) -> T) -> Self {
        let mut all = |list: Vec<Joined<T>>| {
            let list = list.into_iter();
            list.map(|joined| joined.change(left, change)).collect()
        };
        match self {
            Joined::And(list) => Joined::And(all(list)),
            Joined::Or(list) => Joined::Or(all(list)),
            Joined::One(inner) => {
                let is_meant = *left == 0;
                *left = left.wrapping_sub(1);
                Joined::One(if is_meant { change(inner) } else { inner })
            }
        }
    }
}

/// The same value with every list and every object in another order.
fn shuffled(json: &Json, random: &mut proptest::test_runner::TestRng) -> Json {
    let mut places = |count: usize| {
        let mut places: Vec<usize> = (0..count).collect();
        places.sort_by_cached_key(|_| random.next_u32());
        places
    };
    match json {
        Json::Array(items) => {
            let places = places(items.len());
            let items = places
                .into_iter()
                .map(|place| shuffled(&items[place], random));
            Json::Array(items.collect())
        }
        Json::Object(members) => {
            let places = places(members.len());
            let members = places.into_iter().map(|place| {
                let (name, value) = &members[place];
                (name.clone(), shuffled(value, random))
            });
            Json::Object(members.collect())
        }
        Json::Null | Json::Bool(_) | Json::Integer(_) | Json::Number | Json::String(_) => {
            json.clone()
        }
    }
}

fn twice(operator: &str, boundaries: [&Json; 2]) -> Json {
    let both = Json::Array(boundaries.map(Json::clone).to_vec());
    Json::Object(vec![(operator.to_owned(), both)])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_naive_evaluator(model in model(), request in request()) {
        prop_assert_eq!(evaluate(&tree(&model), &request), model.verdict(&request));
    }

    /// S2. No list in these boundaries is one whose order counts, as that of `trusted_ips` does.
    #[test]
    fn the_order_of_children_entries_and_members_changes_neither_verdict_nor_reason(
        model in model(),
        request in request(),
        mut random in any::<u64>().prop_perturb(|_, random| random),
    ) {
        let written = tree(&model);
        let verdict = evaluate(&written, &request);
        prop_assert_eq!(evaluate(&shuffled(&written, &mut random), &request), verdict);
    }

    /// Of two boundaries that must both allow it, one never makes up for the other.
    #[test]
    fn joined_by_and_the_stricter_decides_and_by_or_the_milder(
        one in model(),
        other in model(),
        request in request(),
    ) {
        let (one, other) = (tree(&one), tree(&other));
        let verdicts = [&one, &other].map(|boundary| evaluate(boundary, &request));
        // Together they may be over a limit.
        if parse(&twice("AND", [&one, &other])).is_ok() {
            let both = evaluate(&twice("AND", [&one, &other]), &request);
            prop_assert_eq!(Some(both), verdicts.into_iter().max());
            let either = evaluate(&twice("OR", [&one, &other]), &request);
            prop_assert_eq!(Some(either), verdicts.into_iter().min());
        }
    }

    /// A project, a filter or a rule for paths that is added anywhere allows nothing that was refused, and gives no
    /// milder reason.
    #[test]
    fn what_is_narrowed_allows_no_more(
        model in model(),
        number in any::<usize>(),
        narrowing in narrowing(),
        request in request(),
    ) {
        let narrower = Model(model.0.clone().changed(number, &|leaf| narrowing.of(leaf)));
        prop_assert!(evaluate(&tree(&narrower), &request) >= evaluate(&tree(&model), &request));
    }

    /// What connects here connects somewhere.
    #[test]
    fn somewhere_covers_here(model in model(), request in request()) {
        let boundary = parse(&tree(&model)).unwrap();
        if model.verdict(&request) == Connect::Allowed {
            prop_assert!(boundary.allows_connect_somewhere());
        }
    }
}

/// The random cases are worth something: each verdict is among them.
#[test]
fn every_verdict_comes_up() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut verdicts: Vec<Connect> = (0..512)
        .map(|_| {
            let drawn = (model(), request()).new_tree(&mut runner).unwrap();
            let (model, request) = drawn.current();
            model.verdict(&request)
        })
        .collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    assert_eq!(verdicts.len(), 4, "{verdicts:?}");
}
