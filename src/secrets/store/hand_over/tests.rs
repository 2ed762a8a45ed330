use std::{sync::Arc, time::Duration};

use crate::{
    auth::TokenState,
    secrets::{
        entry::FailureClass,
        handed::Handed,
        store::{
            Heal,
            tests::{Bench, leased, token},
        },
    },
    vault::secret::Secret,
};

fn handed_over(mut state: TokenState, age: u64) -> TokenState {
    let login = Arc::make_mut(state.login.as_mut().unwrap());
    login.handed_over = true;
    login.issued -= Duration::from_secs(age);
    state
}

/// What a run knows that has read a static secret and a lease.
async fn kept(bench: &Bench) -> Handed {
    bench.tokens.send(token(1, 36_000, bench.clock)).unwrap();
    bench.want(&["kv/a", "db/b"]).await;
    bench.server.answer("read kv/a", Ok(Secret::default()));
    bench.server.answer("read db/b", Ok(leased(36_000)));
    bench.settle().await;
    let kept = bench.handle.inventory.take().await;
    assert_eq!(kept.len(), 2);
    Handed::new(kept)
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_over_with_the_token_is_not_asked_for_until_it_is_due() {
    let first = Bench::start();
    let second = Bench::start_with(kept(&first).await);
    second.want(&["kv/a"]).await;
    second.tokens.send(handed_over(token(1, 36_000, second.clock), 5)).unwrap();
    second.settle().await;
    assert!(second.has("kv/a"));
    second.want(&["kv/a", "db/b", "kv/other"]).await;
    assert!(second.has("db/b"), "also what is wanted later");
    assert_eq!(second.server.asked(), ["read kv/other"]);
    second.pass(290).await;
    assert_eq!(second.server.asked()[1..], ["read kv/a"], "its own time has come");
    let mut again = second.handle.inventory.take().await;
    again.sort_by_key(|kept| kept.path.clone());
    assert_eq!(again[0].path.as_str(), "db/b");
    assert!(again[0].renew && again[0].lease.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_wanted_yet_is_handed_on_with_its_token_alone_as_long_as_it_is_good() {
    let first = Bench::start();
    let second = Bench::start_with(kept(&first).await);
    second.tokens.send(handed_over(token(1, 36_000, second.clock), 5)).unwrap();
    second.settle().await;
    assert_eq!(second.handle.inventory.take().await.len(), 2, "a run that is killed now loses nothing");
    second.want(&["db/b"]).await;
    assert_eq!(second.handle.inventory.take().await.len(), 2, "a late pass may want the other");
    second.pass(301).await;
    let left = second.handle.inventory.take().await;
    assert_eq!(left.len(), 1, "a secret without a lease is good until it would be read anew");
    assert_eq!(left[0].path.as_str(), "db/b");
    let third = Bench::start_with(kept(&Bench::start()).await);
    third.tokens.send(token(1, 36_000, third.clock)).unwrap();
    third.settle().await;
    assert!(third.handle.inventory.take().await.is_empty(), "it hangs off another token");
}

#[tokio::test(start_paused = true)]
async fn with_another_token_nothing_counts() {
    let first = Bench::start();
    let second = Bench::start_with(kept(&first).await);
    second.want(&["kv/a", "db/b"]).await;
    second.tokens.send(token(1, 36_000, second.clock)).unwrap();
    second.settle().await;
    let mut asked = second.server.asked();
    asked.sort();
    assert_eq!(asked, ["read db/b", "read kv/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_against_an_old_token_first_and_its_leases_live_on() {
    for (age, heals) in [(5, false), (600, false), (601, true), (3600, true)] {
        let first = Bench::start();
        let mut second = Bench::start_with(kept(&first).await);
        second.tokens.send(handed_over(token(1, 36_000, second.clock), age)).unwrap();
        second.want(&["db/b", "kv/new"]).await;
        second.server.answer("read kv/new", Err(FailureClass::Denied));
        second.settle().await;
        assert_eq!(second.handle.heal.try_recv().ok(), heals.then_some(Heal::Outgrown(1)), "{age} s old");
        if heals {
            second.tokens.send(token(2, 36_000, second.clock)).unwrap();
            second.settle().await;
            second.server.answer("read kv/new", Err(FailureClass::Denied));
            second.settle().await;
            assert!(second.handle.heal.try_recv().is_err(), "a fresh login settles it");
            assert_eq!(second.server.asked(), ["read kv/new", "read kv/new"], "the lease is not read anew");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_grows_old_while_it_is_used() {
    let first = Bench::start();
    let mut second = Bench::start_with(kept(&first).await);
    second.tokens.send(handed_over(token(1, 36_000, second.clock), 5)).unwrap();
    second.want(&["kv/new"]).await;
    second.server.answer("read kv/new", Err(FailureClass::Denied));
    second.settle().await;
    assert!(second.handle.heal.try_recv().is_err(), "its rights are those of now");
    second.pass(1).await;
    // The next try is under way; its answer comes late.
    second.pass(600).await;
    second.server.answer("read kv/new", Err(FailureClass::Denied));
    second.settle().await;
    assert_eq!(second.handle.heal.try_recv(), Ok(Heal::Outgrown(1)));
}

#[tokio::test(start_paused = true)]
async fn status_tells_when_the_server_answered_and_not_when_that_was_handed_over() {
    let first = Bench::start();
    let left = kept(&first).await;
    let answered = first.clock.wall();
    let second = Bench::start_with(left);
    second.pass(100).await;
    second.tokens.send(handed_over(token(1, 36_000, second.clock), 105)).unwrap();
    second.want(&["kv/a", "db/b"]).await;
    second.settle().await;
    let again = second.handle.inventory.take().await;
    let snapshot = second.handle.snapshot.borrow().clone();
    assert_eq!((again.len(), snapshot.answers.len()), (2, 2));
    let early = second.clock.wall() - Duration::from_secs(90);
    for (request, held) in snapshot.answers.iter() {
        let confirmed = held.life.confirmed;
        assert!(confirmed.is_some_and(|at| at <= answered && at < early), "{request}: {:?}", held.life);
        let to_the_next = again.iter().find(|kept| kept.path == request.path);
        assert_eq!(to_the_next.and_then(|kept| kept.confirmed), confirmed, "{request}");
    }
}
