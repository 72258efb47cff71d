//! Arbitrary valid scenarios, of every kind of line, step and name.

use keyalike_harness::primitive::{Primitive, Request};
use keyalike_harness::scenario::name::{FutureName, ObjectName, RuleId, ScopeName, TASK_NUMBER_MAX, TaskName, Who};
use keyalike_harness::scenario::{
    Accept, Action, Condition, Conduct, Line, Object, Operation, Parcel, Place, Reaction, Scenario, Span, Step,
    WakerEvent, Within,
};
use keyalike_harness::verdict::{Grade, Verdict};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

/// Any scenario that a text can say.
pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    let head = (
        comments(),
        btree_set("[A-Z]{1,9}-[0-9]{1,3}", 0..3),
        vec("[!-~&&[^#\"]]([ -~é&&[^\"]]{0,20}[!-~&&[^#\"]])?", 0..3).prop_filter("no comment", |sources| {
            sources.iter().all(|source| [" #", ";#", "\"#"].iter().all(|begins| !source.contains(begins)))
        }),
        subsequence(vec!["m", "n", "lock-2"], 1..=3),
        any::<bool>(),
        option::of((span(), text())),
    );
    (head, any::<Index>()).prop_flat_map(|((description, rules, sources, objects, show_wakes, within), bare)| {
        let objects: Vec<Object> = objects
            .into_iter()
            .map(|name| Object { primitive: Primitive::Mutex, name: name.parse().expect("a valid name") })
            .collect();
        // One in four has no head at all: its comments are told apart by blank lines only.
        if bare.index(4) == 0 {
            let scenario = Scenario { description, ..Scenario::new("theme/name".parse().expect("a valid name")) };
            return with_script(scenario).boxed();
        }
        let scenario = Scenario {
            name: "theme/name".parse().expect("a valid name"),
            description,
            rules: rules.iter().map(|rule| rule.parse::<RuleId>().expect("a valid rule")).collect(),
            sources,
            objects,
            show_wakes,
            within: within.map(|(limit, reason)| Within { limit, reason }),
            lines: Vec::new(),
            accepts: Vec::new(),
            closing: Vec::new(),
        };
        with_script(scenario).boxed()
    })
}

/// Any explored scenario that a text can say.
pub(crate) fn explored() -> impl Strategy<Value = Scenario> {
    scenario().prop_flat_map(|scenario| {
        let no_repoll = |action: &Action| !matches!(action, Action::Repoll { .. });
        let turn = vec(action(scenario.objects.clone()).prop_filter("the explorer's choice", no_repoll), 1..3);
        let programs = vec((vec(turn, 1..4), comments(), option::of(comment())), 1..5);
        let occasion = prop_oneof![
            who().prop_map(|who| Step::Conductor(Conduct::Cancel(who))),
            who().prop_map(|who| Step::Conductor(Conduct::Abort(who))),
            (who(), any::<bool>())
                .prop_map(|(who, new_waker)| Step::Task { who, action: Action::Repoll { new_waker } }),
        ];
        (Just(scenario), programs, vec(occasion, 0..3)).prop_map(|(scenario, programs, occasions)| {
            let programs = programs.into_iter().zip('A'..).enumerate();
            let lines = programs.map(|(index, ((turns, above, comment), letter))| {
                let who = TaskName::new(letter).expect("a capital letter").into();
                // Without a head, what stands above the first line is the description.
                let above = if index == 0 { Vec::new() } else { above };
                Line { above, gap: false, steps: vec![Step::Program { who, turns }], comment }
            });
            let lines = lines.chain(occasions.into_iter().map(|step| Line::new(vec![step]))).collect();
            Scenario { lines, accepts: Vec::new(), closing: Vec::new(), ..scenario }
        })
    })
}

/// Adds a script, `accept` lines and closing comments.
fn with_script(scenario: Scenario) -> impl Strategy<Value = Scenario> {
    let lines = vec(line(scenario.objects.clone()), 0..8);
    (Just(scenario), lines, vec(accept(), 0..4), comments(), vec((any::<Index>(), text()), 0..3)).prop_map(assemble)
}

type Parts = (Scenario, Vec<Line>, Vec<Accept>, Vec<String>, Vec<(Index, String)>);

/// Puts the parts together so that what depends on another part is valid.
fn assemble((mut scenario, mut lines, mut accepts, closing, conditions): Parts) -> Scenario {
    if let Some(first) = lines.first_mut() {
        first.gap = false;
    }
    let steps: Vec<Step> = lines.iter().flat_map(|line| line.steps.clone()).collect();
    for (index, gives) in conditions {
        if !steps.is_empty() && !accepts.is_empty() {
            let step = index.get(&steps);
            // A condition may speak of a crowd's step as it stands, or of its last member's.
            let step = if index.index(2) == 0 { step.clone() } else { step.members().last().expect("a member") };
            let accept = index.index(accepts.len());
            accepts[accept].conditions.push(Condition { step, gives });
        }
    }
    let has_head = scenario.show_wakes
        || scenario.within.is_some()
        || !(scenario.rules.is_empty() && scenario.sources.is_empty() && scenario.objects.is_empty());
    // Comments that close nothing are the description.
    if has_head || !lines.is_empty() || !accepts.is_empty() {
        scenario.closing = closing;
    }
    Scenario { lines, accepts, ..scenario }
}

fn line(objects: Vec<Object>) -> impl Strategy<Value = Line> {
    (comments(), any::<bool>(), vec(step(objects), 1..4), option::of(comment()))
        .prop_map(|(above, gap, steps, comment)| Line { above, gap, steps, comment })
}

fn accept() -> impl Strategy<Value = Accept> {
    (comments(), select(&Verdict::ALL), option::of(text()), option::of(comment())).prop_map(
        |(above, verdict, sentence, comment)| Accept {
            above,
            verdict,
            conditions: Vec::new(),
            grade: if sentence.is_some() { Grade::Permitted } else { Grade::Conforms },
            sentence,
            comment,
        },
    )
}

fn step(objects: Vec<Object>) -> BoxedStrategy<Step> {
    let task = (who(), action(objects.clone())).prop_map(|(who, action)| Step::Task { who, action });
    prop_oneof![3 => task, 1 => conduct(objects).prop_map(Step::Conductor)].boxed()
}

fn action(objects: Vec<Object>) -> BoxedStrategy<Action> {
    let free = prop_oneof![
        Just(Action::Panic),
        Just(Action::Return),
        Just(Action::Yield),
        Just(Action::SpendBudget),
        any::<bool>().prop_map(|new_waker| Action::Repoll { new_waker }),
        span().prop_map(|span| Action::Hold { span }),
        future().prop_map(|future| Action::Poll { future }),
        future().prop_map(|future| Action::Await { future }),
        future().prop_map(|future| Action::AwaitRef { future }),
        future().prop_map(|future| Action::Drop { future }),
        (future(), task()).prop_map(|(future, to)| Action::Send { what: Parcel::Future(future), to }),
        scope().prop_map(|scope| Action::Enter { scope }),
        scope().prop_map(|scope| Action::Leave { scope }),
        (event(), prop_oneof![Just(Reaction::Poll), Just(Reaction::Panic)])
            .prop_map(|(event, reaction)| Action::On { event, reaction }),
    ];
    if objects.is_empty() {
        return free.boxed();
    }
    let object = move || select(objects.iter().map(|object| object.name.clone()).collect::<Vec<_>>());
    let acquire = {
        let object = object.clone();
        move || object().prop_map(|object| Operation { request: Request::Acquire, object })
    };
    let on_object = prop_oneof![
        (acquire(), select(vec![Place::Task, Place::Thread, Place::Inside]))
            .prop_map(|(operation, place)| Action::Ask { operation, place }),
        (select(vec![Request::TryAcquire, Request::IsLocked, Request::Debug]), object())
            .prop_map(|(request, object)| Action::Ask { operation: Operation { request, object }, place: Place::Task }),
        object().prop_map(|object| Action::Release { object }),
        object().prop_map(|object| Action::ReleaseElsewhere { object }),
        object().prop_map(|object| Action::Forget { object }),
        (object(), task()).prop_map(|(object, to)| Action::Send { what: Parcel::Guard(object), to }),
        (future(), acquire()).prop_map(|(future, operation)| Action::Start { future, operation }),
        (future(), acquire()).prop_map(|(future, operation)| Action::Prepare { future, operation }),
        (event(), object()).prop_map(|(event, object)| Action::On { event, reaction: Reaction::Release(object) }),
        (event(), object()).prop_map(|(event, object)| Action::On { event, reaction: Reaction::TryAcquire(object) }),
        (event(), object()).prop_map(|(event, object)| Action::On { event, reaction: Reaction::IsLocked(object) }),
    ];
    prop_oneof![free, on_object].boxed()
}

fn conduct(objects: Vec<Object>) -> BoxedStrategy<Conduct> {
    let free = prop_oneof![
        who().prop_map(Conduct::Cancel),
        who().prop_map(Conduct::Abort),
        who().prop_map(Conduct::Detach),
        who().prop_map(Conduct::DropHandle),
        who().prop_map(Conduct::Join),
        span().prop_map(Conduct::Hold),
    ];
    if objects.is_empty() {
        return free.boxed();
    }
    let names: Vec<ObjectName> = objects.into_iter().map(|object| object.name).collect();
    prop_oneof![6 => free, 1 => select(names).prop_map(Conduct::DropObject)].boxed()
}

fn task() -> impl Strategy<Value = TaskName> {
    prop_oneof![
        prop::char::range('A', 'Z').prop_map(|letter| TaskName::new(letter).expect("a capital letter")),
        (prop::char::range('A', 'Z'), 0..=TASK_NUMBER_MAX)
            .prop_map(|(letter, number)| TaskName::numbered(letter, number).expect("within the range")),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    let crowd = (prop::char::range('A', 'Z'), 0..=TASK_NUMBER_MAX - 40, 0..40_u32)
        .prop_map(|(letter, first, more)| Who::Crowd { letter, first, last: first + more });
    prop_oneof![4 => task().prop_map(Who::Task), 1 => crowd]
}

/// Words of the language are names as good as others, unless an object has them.
fn future() -> impl Strategy<Value = FutureName> {
    select(vec!["x", "y", "future-1", "acquire", "blocking"]).prop_map(|name| name.parse().expect("a valid name"))
}

fn scope() -> impl Strategy<Value = ScopeName> {
    select(vec!["f", "callback", "m"]).prop_map(|name| name.parse().expect("a valid name"))
}

fn event() -> impl Strategy<Value = WakerEvent> {
    select(vec![WakerEvent::Wake, WakerEvent::Clone, WakerEvent::Drop])
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![1..=Span::MAX_MICROS, (1..=10_000_u32).prop_map(|ms| ms * 1_000), Just(Span::MAX_MICROS)]
        .prop_map(|micros| Span::from_micros(micros).expect("within the range"))
}

/// A text between quotes: anything but control characters, with something in it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\p{Cc}\\s][^\\p{Cc}]{0,12}", "[\"\\\\# ;]{0,6}b"]
}

/// A comment: anything but control characters, with no space at its end.
fn comment() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[^\\p{Cc}]{0,12}[^\\p{Cc} \t]", " {0,3}# rule X-1"]
}

fn comments() -> impl Strategy<Value = Vec<String>> {
    vec(comment(), 0..3)
}
