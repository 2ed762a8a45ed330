use super::*;
use crate::{
    config::template::{ActionSpec, CommandForm, GroupSpec},
    secrets::{
        entry::FailureClass,
        request::{AuthId, Verb},
    },
    vault::path::VaultPath,
};

pub(super) fn request(path: &str) -> SecretRequest {
    let (path, params) = VaultPath::parse(path).unwrap();
    SecretRequest { auth: AuthId::default(), namespace: None, verb: Verb::Read, path, params }
}

pub(super) fn program(name: &str) -> crate::template::host::Program {
    crate::template::host::Program { name: name.into(), args: Vec::new() }
}

fn command(line: &str) -> ActionSpec {
    ActionSpec::Command { form: CommandForm::Shell(line.into()), timeout: None, env: Default::default() }
}

pub(super) fn spec(name: &str, actions: &[&str], wait: Option<Wait>) -> Arc<TemplateSpec> {
    let actions = actions.iter().map(|line| command(line)).collect();
    Arc::new(TemplateSpec { actions, wait, ..TemplateSpec::sample(name) })
}

pub(super) fn uses(paths: &[&str]) -> BTreeSet<SecretRequest> {
    paths.iter().map(|path| request(path)).collect()
}

pub(super) fn config(once: bool) -> PlanConfig {
    PlanConfig { once, complete: true, exit_on_failure: true, retries: Some(2), sinks: false }
}

pub(super) fn failing(path: &str, tries: u32, class: FailureClass) -> Event {
    let definite = if class.is_definite() { tries } else { 0 };
    failing_after(path, (tries, definite), class)
}

fn failing_after(path: &str, (tries, definite): (u32, u32), class: FailureClass) -> Event {
    let failed = Failed { tries, definite, class, message: "GET v1/x: 403".into(), next_try: None };
    Event::Failing(Arc::new([(request(path), failed)].into()))
}

/// A plan with templates `a` (reads kv/a, runs `x`) and `b` (reads kv/b, runs `x`, then `y`).
pub(super) fn two(once: bool) -> (Plan, Instant) {
    let templates =
        vec![(spec("a", &["x"], None), uses(&["kv/a"])), (spec("b", &["x", "y"], None), uses(&["kv/b"]))];
    (Plan::new(config(once), templates), crate::clock::Clock::system().now())
}

fn render(plan: &mut Plan, index: usize, paths: &[&str], written: Written, now: Instant) -> Vec<Effect> {
    assert_eq!(
        plan.on(Event::Rendered(index, Rendered::Ready { used: uses(paths) }), now),
        [Effect::Write(index)]
    );
    plan.on(Event::Written(index, written), now)
}

#[test]
fn literal_requests_are_wanted_before_the_first_evaluation() {
    let (mut plan, _) = two(true);
    assert_eq!(plan.start(), [Effect::Want(uses(&["kv/a", "kv/b"])), Effect::Render(0), Effect::Render(1)]);
}

#[test]
fn a_new_user_of_a_known_request_is_told_and_an_old_one_is_not() {
    let (mut plan, now) = two(false);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    plan.on(Event::Rendered(1, Rendered::Waiting { used: uses(&["kv/a", "kv/b"]), program: None }), now);
    let told = Effect::Want(uses(&["kv/a", "kv/b"]));
    assert_eq!(plan.on(Event::PassDone, now)[0], told, "the second template has rules and files of its own");
    plan.on(Event::Rendered(1, Rendered::Waiting { used: uses(&["kv/a", "kv/b"]), program: None }), now);
    assert!(!plan.on(Event::PassDone, now).contains(&told));
}

#[test]
fn actions_follow_the_whole_pass_in_template_order_and_then_it_ends() {
    let (mut plan, now) = two(true);
    plan.start();
    assert!(render(&mut plan, 0, &["kv/a"], Written::Changed, now).is_empty());
    assert_eq!(render(&mut plan, 1, &["kv/b"], Written::Changed, now), [Effect::AllRendered]);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Run(vec![0, 1], Moment::First)]);
    assert!(plan.on(Event::PassDone, now).is_empty(), "the end waits for the actions");
    assert_eq!(
        plan.on(Event::ActionsDone { failed: 1 }, now),
        [Effect::Exit(Outcome::Done { failed_actions: 1 })]
    );
}

#[test]
fn passes_that_end_while_actions_run_lead_to_one_batch() {
    let (mut plan, now) = two(false);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Run(vec![0, 1], Moment::First)]);
    for index in [1, 0, 1] {
        render(&mut plan, index, &[["kv/a", "kv/b"][index]], Written::Changed, now);
        assert!(plan.on(Event::PassDone, now).is_empty(), "it waits for those that run");
    }
    let next = plan.on(Event::ActionsDone { failed: 0 }, now);
    assert_eq!(next, [Effect::Run(vec![0, 1], Moment::Later)], "all of them once, in template order");
    assert!(plan.on(Event::ActionsDone { failed: 1 }, now).is_empty(), "and no more");
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Run(vec![1], Moment::Later)]);
}

#[test]
fn a_run_that_renders_once_ends_after_the_batch_that_waited() {
    let (mut plan, now) = two(true);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Run(vec![0], Moment::First)]);
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    assert!(plan.on(Event::PassDone, now).is_empty());
    assert_eq!(
        plan.on(Event::ActionsDone { failed: 1 }, now),
        [Effect::Run(vec![1], Moment::First)],
        "the end waits for it"
    );
    let end = Effect::Exit(Outcome::Done { failed_actions: 3 });
    assert_eq!(plan.on(Event::ActionsDone { failed: 2 }, now), [end]);
}

#[test]
fn an_unchanged_file_runs_nothing() {
    let (mut plan, now) = two(true);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Same, now);
    render(&mut plan, 1, &["kv/b"], Written::Same, now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Exit(Outcome::Done { failed_actions: 0 })]);
}

#[test]
fn a_change_re_renders_only_the_templates_that_use_it() {
    let (mut plan, now) = two(false);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    plan.on(Event::PassDone, now);
    assert_eq!(plan.on(Event::Changed(uses(&["kv/b"])), now), [Effect::Render(1)]);
    assert!(plan.on(Event::Changed(uses(&["kv/other"])), now).is_empty());
}

#[test]
fn a_failing_template_leaves_its_siblings_alone_once_everything_was_rendered() {
    let (mut plan, now) = two(false);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    plan.on(Event::PassDone, now);
    let failed = Rendered::Failed { used: uses(&["kv/a"]), message: "no key".into(), by_program: false };
    assert!(plan.on(Event::Rendered(0, failed), now).is_empty());
    assert_eq!(plan.trouble(0), Some("no key"));
    assert_eq!(plan.on(Event::Changed(uses(&["kv/b"])), now), [Effect::Render(1)]);
    assert!(plan.is_rendered(0), "the file of before is still there");
}

#[test]
fn a_template_that_fails_at_the_first_render_ends_the_run_only_when_asked() {
    for exit_on_failure in [true, false] {
        let templates = vec![(spec("a", &[], None), uses(&["kv/a"]))];
        let mut plan = Plan::new(PlanConfig { exit_on_failure, ..config(true) }, templates);
        plan.start();
        let failed = Rendered::Failed { used: uses(&["kv/a"]), message: "m".into(), by_program: false };
        let effects = plan.on(Event::Rendered(0, failed), crate::clock::Clock::system().now());
        assert_eq!(effects.contains(&Effect::Exit(Outcome::Template("m".into()))), exit_on_failure);
    }
}

#[test]
fn retries_used_up_end_the_first_render_and_later_only_definite_answers_do() {
    let (mut plan, now) = two(false);
    plan.start();
    assert!(plan.on(failing("kv/a", 2, FailureClass::Busy), now).is_empty(), "two retries are left to it");
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    plan.on(Event::PassDone, now);
    assert!(
        plan.on(failing("kv/a", 99, FailureClass::Unreachable), now).is_empty(),
        "an outage ends nothing"
    );
    assert!(plan.on(failing("kv/stranger", 99, FailureClass::Denied), now).is_empty(), "nobody uses it");
    assert!(matches!(
        plan.on(failing("kv/a", 3, FailureClass::Denied), now)[..],
        [Effect::Exit(Outcome::Fetch { class: FailureClass::Denied, .. })]
    ));
    assert!(plan.on(Event::Changed(uses(&["kv/a"])), now).is_empty(), "nothing happens after the end");
}

#[test]
fn the_first_definite_answer_after_an_outage_ends_nothing() {
    let (mut plan, now) = two(false);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    plan.on(Event::PassDone, now);
    assert!(plan.on(failing("kv/a", 99, FailureClass::Busy), now).is_empty());
    let missing = FailureClass::Missing;
    assert!(plan.on(failing_after("kv/a", (100, 1), missing), now).is_empty(), "two retries are left to it");
    let effects = plan.on(failing_after("kv/a", (102, 3), missing), now);
    assert!(matches!(effects[..], [Effect::Exit(Outcome::Fetch { .. })]), "{effects:?}");
}

#[test]
fn requests_found_while_rendering_are_asked_for_once_per_pass_and_forgotten_when_unused() {
    let (mut plan, now) = two(false);
    plan.start();
    let waiting = Rendered::Waiting { used: uses(&["kv/a", "kv/nested"]), program: None };
    assert!(plan.on(Event::Rendered(0, waiting.clone()), now).is_empty());
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Want(uses(&["kv/a", "kv/b", "kv/nested"]))]);
    plan.on(Event::Rendered(0, waiting), now);
    assert!(plan.on(Event::PassDone, now).is_empty(), "nothing new, nothing asked");
    render(&mut plan, 0, &["kv/a"], Written::Same, now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Want(uses(&["kv/a", "kv/b"]))]);
}

#[test]
fn quiet_time_delays_every_render_but_the_first_and_never_beyond_its_maximum() {
    let wait = Wait { min: Duration::from_secs(2), max: Duration::from_secs(5) };
    let mut plan = Plan::new(config(false), vec![(spec("a", &[], Some(wait)), uses(&["kv/a"]))]);
    let start = crate::clock::Clock::system().now();
    let at = |seconds| start + Duration::from_secs(seconds);
    plan.start();
    assert_eq!(plan.on(Event::Changed(uses(&["kv/a"])), at(0)), [Effect::Render(0)], "the first never waits");
    render(&mut plan, 0, &["kv/a"], Written::Changed, at(0));
    plan.on(Event::PassDone, at(0));
    for (seconds, due) in [(10, 12), (11, 13), (13, 15), (14, 15)] {
        assert!(plan.on(Event::Changed(uses(&["kv/a"])), at(seconds)).is_empty());
        assert_eq!(plan.next_due(), Some(at(due)));
    }
    assert_eq!(plan.on(Event::Due, at(15)), [Effect::Render(0)]);
    assert_eq!(plan.next_due(), None);
}

#[test]
fn a_write_that_fails_later_is_tried_again_with_growing_gaps() {
    let (mut plan, now) = two(false);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    plan.on(Event::PassDone, now);
    plan.on(Event::ActionsDone { failed: 0 }, now);
    let mut at = now;
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert!(
            render(&mut plan, 0, &["kv/a"], Written::Failed { message: "EROFS".into(), changed: false }, at)
                .is_empty()
        );
        let due = plan.next_due().unwrap();
        assert_eq!(due - at, Duration::from_secs(seconds));
        at = due;
        assert_eq!(plan.on(Event::Due, at), [Effect::Render(0)]);
    }
    render(&mut plan, 0, &["kv/a"], Written::Changed, at);
    assert_eq!(plan.on(Event::PassDone, at), [Effect::Run(vec![0], Moment::Later)]);
}

#[test]
fn sinks_hold_back_the_end_and_the_deadline_counts_until_then() {
    let templates = vec![(spec("a", &[], None), uses(&["kv/a"]))];
    let mut plan = Plan::new(PlanConfig { sinks: true, ..config(true) }, templates.clone());
    let now = crate::clock::Clock::system().now();
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    assert!(plan.on(Event::PassDone, now).is_empty());
    assert_eq!(plan.on(Event::SinksDone, now), [Effect::Exit(Outcome::Done { failed_actions: 0 })]);

    for once in [true, false] {
        let mut plan = Plan::new(PlanConfig { sinks: true, ..config(once) }, templates.clone());
        plan.start();
        render(&mut plan, 0, &["kv/a"], Written::Changed, now);
        plan.on(Event::PassDone, now);
        let ends = !plan.on(Event::DeadlinePassed("w".into()), now).is_empty();
        assert_eq!(ends, once, "one that stays has had its first render; one that ends waits for its sinks");

        let mut plan = Plan::new(config(once), templates.clone());
        plan.start();
        assert_eq!(
            plan.on(Event::DeadlinePassed("w".into()), now),
            [Effect::Exit(Outcome::Deadline("w".into()))]
        );
    }
}

#[test]
fn a_template_that_never_renders_does_not_make_its_siblings_fatal() {
    let mut hopeless = (*spec("a", &[], None)).clone();
    hopeless.error_fatal = false;
    let templates = vec![(Arc::new(hopeless), uses(&["kv/a"])), (spec("b", &["y"], None), uses(&["kv/b"]))];
    let mut plan = Plan::new(config(false), templates);
    let now = crate::clock::Clock::system().now();
    plan.start();
    let failed = |message: &str| Rendered::Failed {
        used: uses(&["kv/a"]),
        message: message.into(),
        by_program: false,
    };
    assert!(plan.on(Event::Rendered(0, failed("no key")), now).is_empty());
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    plan.on(Event::PassDone, now);
    assert!(plan.on(failing("kv/b", 99, FailureClass::Busy), now).is_empty(), "b was rendered before");
    let broken = Rendered::Failed { used: uses(&["kv/b"]), message: "m".into(), by_program: false };
    assert!(plan.on(Event::Rendered(1, broken), now).is_empty());
    assert!(matches!(plan.on(failing("kv/a", 99, FailureClass::Busy), now)[..], [Effect::Exit(_)]));
}

#[test]
fn a_file_that_changed_is_followed_up_even_when_one_beside_it_fails() {
    let (mut plan, now) = two(false);
    plan.start();
    render(&mut plan, 0, &["kv/a"], Written::Changed, now);
    render(&mut plan, 1, &["kv/b"], Written::Changed, now);
    plan.on(Event::PassDone, now);
    plan.on(Event::ActionsDone { failed: 0 }, now);
    render(&mut plan, 0, &["kv/a"], Written::Failed { message: "ELOOP".into(), changed: true }, now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Run(vec![0], Moment::Later)]);
}

/// A plan with `a` (reads kv/a) and `b` (reads kv/b) in one group that runs `x`, and `c` (reads kv/a) by itself.
pub(super) fn grouped(once: bool, wait: Option<Wait>) -> (Plan, Instant) {
    let member = |name: &str, wait| {
        let group = Some(Arc::new(GroupSpec { name: "g".into(), atomic: false }));
        Arc::new(TemplateSpec { group, ..(*spec(name, &["x"], wait)).clone() })
    };
    let templates = vec![
        (member("a", None), uses(&["kv/a"])),
        (member("b", wait), uses(&["kv/b"])),
        (spec("c", &[], None), uses(&["kv/a"])),
    ];
    (Plan::new(config(once), templates), crate::clock::Clock::system().now())
}

pub(super) fn ready(plan: &mut Plan, index: usize, path: &str, now: Instant) -> Vec<Effect> {
    plan.on(Event::Rendered(index, Rendered::Ready { used: uses(&[path]) }), now)
}

/// Takes a plan through its first pass, in which everything is written.
pub(super) fn first_pass(plan: &mut Plan, now: Instant) {
    plan.start();
    assert!(ready(plan, 0, "kv/a", now).is_empty() && ready(plan, 1, "kv/b", now).is_empty());
    render(plan, 2, &["kv/a"], Written::Changed, now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::WriteGroup(vec![0, 1])]);
    assert!(plan.on(Event::Written(0, Written::Changed), now).is_empty());
    assert_eq!(plan.on(Event::Written(1, Written::Changed), now), [Effect::AllRendered]);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Run(vec![0, 1], Moment::First)]);
}

#[test]
fn a_group_is_rendered_as_a_whole_and_written_at_the_end_of_the_pass() {
    let (mut plan, now) = grouped(false, None);
    first_pass(&mut plan, now);
    plan.on(Event::ActionsDone { failed: 0 }, now);
    assert_eq!(plan.on(Event::Changed(uses(&["kv/b"])), now), [Effect::Render(0), Effect::Render(1)]);
    ready(&mut plan, 0, "kv/a", now);
    ready(&mut plan, 1, "kv/b", now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::WriteGroup(vec![0, 1])]);
    plan.on(Event::Written(0, Written::Same), now);
    plan.on(Event::Written(1, Written::Changed), now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Run(vec![1], Moment::Later)]);
    assert!(plan.on(Event::PassDone, now).is_empty());
}

#[test]
fn a_group_that_lacks_a_member_keeps_its_files_and_says_why() {
    let (mut plan, now) = grouped(false, None);
    first_pass(&mut plan, now);
    let used = uses(&["kv/b"]);
    for (lack, trouble) in [
        (Rendered::Failed { used: used.clone(), message: "no key".into(), by_program: false }, true),
        (Rendered::Waiting { used: uses(&["kv/b", "kv/more"]), program: None }, false),
    ] {
        plan.on(Event::Changed(used.clone()), now);
        ready(&mut plan, 0, "kv/a", now);
        assert!(plan.on(Event::Rendered(1, lack), now).is_empty());
        assert_eq!(plan.on(Event::PassDone, now), [Effect::Discard(vec![0])]);
        let says = plan.trouble(0).unwrap_or_default().to_owned();
        assert_eq!(
            says.contains("the group `g` stay as they are, because b can't be rendered"),
            trouble,
            "{says}"
        );
        plan.on(Event::PassDone, now);
        // What it lacked is there.
        plan.on(Event::Changed(used.clone()), now);
        ready(&mut plan, 0, "kv/a", now);
        ready(&mut plan, 1, "kv/b", now);
        assert_eq!(plan.on(Event::PassDone, now), [Effect::WriteGroup(vec![0, 1])]);
        plan.on(Event::Written(0, Written::Same), now);
        plan.on(Event::Written(1, Written::Same), now);
        assert_eq!(plan.trouble(0), None);
        plan.on(Event::PassDone, now);
    }
}

#[test]
fn the_end_of_a_run_waits_for_the_whole_group() {
    let (mut plan, now) = grouped(true, None);
    plan.start();
    render(&mut plan, 2, &["kv/a"], Written::Changed, now);
    ready(&mut plan, 0, "kv/a", now);
    plan.on(Event::Rendered(1, Rendered::Waiting { used: uses(&["kv/b"]), program: None }), now);
    assert_eq!(plan.on(Event::PassDone, now), [Effect::Discard(vec![0])]);
    assert!(plan.on(Event::PassDone, now).iter().all(|effect| matches!(effect, Effect::Want(_))));
    assert!(!plan.is_rendered(0), "a member alone is not written");
}

#[test]
fn quiet_time_of_one_member_is_that_of_its_group() {
    let wait = Wait { min: Duration::from_secs(2), max: Duration::from_secs(5) };
    let (mut plan, now) = grouped(false, Some(wait));
    first_pass(&mut plan, now);
    assert_eq!(
        plan.on(Event::Changed(uses(&["kv/a"])), now),
        [Effect::Render(2)],
        "its neighbour has no part in it"
    );
    let due = now + Duration::from_secs(2);
    assert_eq!(plan.next_due(), Some(due));
    assert_eq!(plan.on(Event::Due, due), [Effect::Render(0), Effect::Render(1)]);
    assert_eq!(plan.next_due(), None);
}

#[test]
fn a_group_that_can_not_be_written_is_tried_again_as_a_whole() {
    let (mut plan, now) = grouped(false, None);
    first_pass(&mut plan, now);
    plan.on(Event::Changed(uses(&["kv/b"])), now);
    ready(&mut plan, 0, "kv/a", now);
    ready(&mut plan, 1, "kv/b", now);
    plan.on(Event::PassDone, now);
    for index in [0, 1] {
        plan.on(Event::Written(index, Written::Failed { message: "EROFS".into(), changed: false }), now);
    }
    assert!(plan.on(Event::PassDone, now).is_empty(), "nothing changed, nothing follows");
    let due = plan.next_due().unwrap();
    assert_eq!(due, now + Duration::from_secs(1));
    assert_eq!(plan.on(Event::Due, due), [Effect::Render(0), Effect::Render(1)]);
}
