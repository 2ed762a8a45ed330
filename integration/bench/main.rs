//! Prints what decant costs beside the least possible work and a peer, all against one server, in turns.
//!
//! `cargo bench --bench figures` runs everything, `cargo bench --bench figures -- --quick 100` one size,
//! `cargo bench --bench figures -- --soak 300` a day in five minutes.
//! `PEER_BIN` names a peer that reads the same configuration file, `BAO_BIN` or `VAULT_BIN` a real server to ask as
//! well, `DECANT_BIN` another build of decant; without it the release build of the image is made and used. Nothing here
//! fails because something is slow: figures gate no test.
//! `docs/performance.md` explains what the columns mean.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program: it starts programs, takes times, speaks to its user, and ends when its world breaks"
)]

mod contest;
mod floor;
mod idle;
mod measure;
mod product;
mod server;
mod soak;
mod table;
mod wire;

use std::{
    env,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use contest::{Contest, Side};
use server::Server;

/// No measurement begins after this; what is under way ends by itself.
const BUDGET: Duration = Duration::from_secs(300);

/// What is measured.
struct Extent {
    /// Numbers of templates for runs that render once, each with its most rounds.
    once: Vec<(usize, usize)>,
    /// Numbers of templates for runs that stay.
    stay: Vec<usize>,
    /// How long those that stay are left alone before the first look …
    settle: Duration,
    /// … and how long until the second.
    window: Duration,
}

impl Extent {
    fn full() -> Self {
        Self {
            once: vec![(1, 21), (10, 15), (100, 9), (500, 5)],
            stay: vec![1, 10, 100],
            // Until connections that nobody uses are closed, which takes decant a minute.
            settle: Duration::from_secs(65),
            window: Duration::from_secs(60),
        }
    }

    fn quick(templates: usize) -> Self {
        Self {
            once: vec![(templates, 5)],
            stay: vec![templates],
            settle: Duration::from_secs(5),
            window: Duration::from_secs(15),
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [measure::COMMAND, command @ ..] => return measure::run(command),
        [floor::COMMAND, rest @ ..] => return floor::run(rest),
        _ if !words.contains(&"--bench") => {
            println!("figures: SKIPPED, this is no test; run it with cargo bench --bench figures");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    if let Some(at) = words.iter().position(|word| *word == soak::COMMAND) {
        let seconds = words.get(at + 1).and_then(|seconds| seconds.parse().ok()).unwrap_or(300);
        return told(soaked(Duration::from_secs(seconds)));
    }
    let quick = words.iter().position(|word| *word == "--quick");
    let extent = match quick.map(|at| words.get(at + 1).and_then(|size| size.parse().ok())) {
        None => Extent::full(),
        Some(size) => Extent::quick(size.unwrap_or(100)),
    };
    told(figures(&extent))
}

fn told(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("figures: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn soaked(length: Duration) -> Result<(), String> {
    let ours = product::binary()?;
    println!("\nload before the run {}", load());
    let server = Server::dev(&product::server(), 50)?;
    println!("{}", soak::table(&server, &ours, length)?);
    println!("load after the run {}", load());
    Ok(())
}

fn figures(extent: &Extent) -> Result<(), String> {
    // Before the time begins to count: a build from clean takes longer than all figures.
    let ours = product::binary()?;
    let started = Instant::now();
    let peer = named(&["PEER_BIN"]);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("\n{cores} cores, load before the run {}", load());
    if peer.is_none() {
        println!("\n*** SKIPPED: no peer. Set PEER_BIN to a program that takes `agent -config=FILE`. ***");
    }
    println!("\n{}", product::sizes(&ours, peer.as_deref())?);
    let most =
        extent.once.iter().map(|(size, _)| *size).chain(extent.stay.iter().copied()).max().unwrap_or(1);
    let server = Server::dev(&product::server(), most)?;
    let mut sides = vec![Side::program("decant", &ours)];
    sides.extend(peer.as_deref().map(|peer| Side::program("peer", peer)));
    sides.extend([Side::Floor { connections: 1 }, Side::Floor { connections: 8 }]);
    let mut servers = vec![("decant dev", &server)];
    let real = named(&["BAO_BIN", "VAULT_BIN"]).map(|binary| Server::real(&binary, most)).transpose()?;
    match &real {
        Some(real) => servers.push(("a real server", real)),
        None => println!("*** SKIPPED: no real server, because neither BAO_BIN nor VAULT_BIN is set. ***\n"),
    }
    for &(templates, rounds) in &extent.once {
        for &(kind, server) in &servers {
            let left = BUDGET.saturating_sub(started.elapsed());
            if left.is_zero() {
                println!(
                    "*** SKIPPED: {templates} templates once, the time for all figures is used up. ***\n"
                );
                continue;
            }
            let contest = Contest { server, kind, templates, rounds, limit: left / 4 };
            println!("{}", contest.run(&sides)?);
        }
    }
    // Its own timers would show up in what is looked at next.
    drop(real);
    if BUDGET.saturating_sub(started.elapsed()) < extent.settle + extent.window {
        println!("*** SKIPPED: runs that stay, the time for all figures is used up. ***\n");
    } else {
        println!("{}", idle::table(&server, &sides, extent)?);
    }
    if peer.is_none() {
        println!("*** SKIPPED: no peer, because PEER_BIN is not set. ***");
    }
    println!("took {:.0} s, load after the run {}", started.elapsed().as_secs_f64(), load());
    Ok(())
}

/// The program that the first of these variables with a value names.
fn named(variables: &[&str]) -> Option<PathBuf> {
    let mut values = variables.iter().filter_map(env::var_os);
    values.find(|path| !path.is_empty()).map(PathBuf::from)
}

/// The first of the system's load averages, so that a reader sees whether the machine was busy with something else.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}
