//! `render`: templates to texts on a laptop, once or on every save.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{RenderOptions, runtime, start::complain, token};
use crate::{
    agent::{environment, upstream},
    chance::Chance,
    clock::Clock,
    config::{Config, LogLevel, env::Environment},
    laptop::{
        answers::{Answers, Source},
        diff,
        fixture::Fixture,
        folder::Folder,
        host::World,
        input::{self, How, Inputs, Purpose, Unit},
        mask::{MASK, Mask},
        render::{Done, Failed, Output, render},
        server::Server,
    },
    output::Written,
    problem::{self, Severity},
    secrets::request::Verb,
    telemetry::{self, Console},
    template::fixture::Programs,
    watch::Watch,
};

/// Exit code for configurations and templates that can't be used.
const CONFIGURATION: u8 = 2;

/// Runs `render`; returns the exit code.
pub(super) fn run(options: &RenderOptions, environment: &Environment) -> u8 {
    let masked = std::io::stdout().is_terminal() && !options.reveal;
    let mut session = Session { options, environment, masked, kept: HashMap::new(), logging: false };
    let code = runtime::wait_for(async {
        let mut watch = Watch::new(Clock::system());
        watch.set(options.given.iter().map(|given| given.path.clone()).chain(options.fixture.clone()));
        loop {
            let (code, files) = session.pass().await;
            if !options.watch {
                return code;
            }
            watch.set(files);
            let changed = watch.changed().await;
            let names: Vec<String> = changed.iter().map(|path| path.display().to_string()).collect();
            complain(&format!("--- {} changed ---", names.join(", ")));
        }
    });
    code.unwrap_or_else(|message| {
        complain(&message);
        1
    })
}

/// What lasts from one save to the next.
struct Session<'a> {
    options: &'a RenderOptions,
    environment: &'a Environment,
    masked: bool,
    /// Answers of the server by unit: a save must not make new credentials.
    kept: HashMap<String, Answers>,
    logging: bool,
}

impl Session<'_> {
    /// Renders everything once; gives the exit code and the files that it came from.
    async fn pass(&mut self) -> (u8, BTreeSet<PathBuf>) {
        let options = self.options;
        let how = How {
            purpose: Purpose::Render,
            bare: &options.bare,
            flags: &options.flags,
            environment: self.environment,
        };
        let Inputs { units, mut files } = input::read(&options.given, how);
        files.extend(options.fixture.clone());
        let fixture = match options.fixture.as_deref().map(|path| self.fixture(path)).transpose() {
            Ok(fixture) => fixture,
            Err(message) => {
                complain(&format!("error: {message}"));
                return (CONFIGURATION, files);
            }
        };
        let mut codes = BTreeSet::new();
        let mut shown = Vec::new();
        for unit in units {
            for problem in &unit.problems {
                let mark = if problem.severity == Severity::Error { "error" } else { "warning" };
                complain(&format!("{mark}: {problem}"));
            }
            if unit.is_broken() {
                codes.insert(CONFIGURATION);
            }
            match self.unit(&unit, fixture.as_ref()).await {
                Ok((done, answers)) => shown.push(Shown { unit, done, answers }),
                Err(message) => {
                    complain(&format!("error: {message}"));
                    codes.insert(CONFIGURATION);
                }
            }
        }
        let folders = folders(&shown);
        let outputs = shown.iter().flat_map(|shown| &shown.done).map(outputs).sum::<usize>();
        let printer = Printer { options, masked: self.masked, headers: outputs > 1 };
        for (shown, folder) in shown.iter().zip(&folders) {
            codes.extend(printer.unit(shown, folder));
            files.extend(shown.done.iter().flat_map(|done| done.files.iter().cloned()));
        }
        if options.fixture.is_none() {
            self.kept = shown
                .into_iter()
                .map(|mut shown| {
                    shown.answers.forget_refusals();
                    (shown.unit.name, shown.answers)
                })
                .collect();
        }
        // What is to be mended first comes first.
        (codes.into_iter().find(|code| *code != 0).unwrap_or(0), files)
    }

    fn fixture(&self, path: &Path) -> Result<Arc<Fixture>, String> {
        let text = input::text(path)
            .map_err(|why| format!("the fixture {} can't be read: {why}", path.display()))?;
        Fixture::parse(&text, path, &self.options.kv2).map(Arc::new).map_err(|problem| problem.to_string())
    }

    async fn unit(
        &mut self,
        unit: &Unit,
        fixture: Option<&Arc<Fixture>>,
    ) -> Result<(Vec<Done>, Answers), String> {
        let Some(config) = &unit.config else { return Ok((Vec::new(), Answers::default())) };
        let clock = Clock::system();
        let mut env = environment::of_templates(self.environment, &config.vault);
        let mut read = BTreeMap::new();
        let mut programs = Programs::default();
        let mut source = match fixture {
            Some(fixture) => {
                env.extend(fixture.env.clone());
                read.clone_from(&fixture.files);
                programs.clone_from(&fixture.programs);
                Source::Fixture(fixture.clone())
            }
            None => Source::Server(Box::new(self.server(config, clock)?)),
        };
        let mut answers = self.kept.remove(&unit.name).unwrap_or_default();
        let world = World { env, files: read, programs, clock };
        let done = render(unit, &mut source, &mut answers, &world).await;
        Ok((done, answers))
    }

    fn server(&mut self, config: &Config, clock: Clock) -> Result<Server, String> {
        if !self.logging {
            self.logging = true;
            // What the ways to the server have to say, but not their every step.
            let mut log = config.log.clone();
            log.level = LogLevel::Warn;
            telemetry::start(&log, Console::Stderr, clock).map_err(|trouble| problem::chain(&trouble))?;
        }
        let gate = upstream::gate(&config.vault, &config.template_config, clock, Chance::system())
            .map_err(|trouble| problem::chain(&trouble))?;
        Ok(Server::new(gate, config.vault.namespace.clone(), token::find(self.environment), clock))
    }
}

/// A unit with all that is to be shown of it.
struct Shown {
    unit: Unit,
    done: Vec<Done>,
    answers: Answers,
}

fn outputs(done: &Done) -> usize {
    done.result.as_ref().map_or(1, |output| 1 + output.effects.len())
}

/// A folder of its own for each pod, when there are several: their destinations are often the same.
fn folders(shown: &[Shown]) -> Vec<String> {
    let several = shown.iter().filter(|shown| shown.unit.pod.is_some()).count() > 1;
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let folder = |shown: &Shown| match &shown.unit.pod {
        Some(pod) if several => {
            let name = pod.to_lowercase().replace([' ', '/'], "-");
            let count = used.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 { name } else { format!("{name}-{count}") }
        }
        _ => String::new(),
    };
    shown.iter().map(folder).collect()
}

/// How results are shown.
struct Printer<'a> {
    options: &'a RenderOptions,
    masked: bool,
    headers: bool,
}

impl Printer<'_> {
    /// Shows or writes everything of a unit; gives exit codes.
    fn unit(&self, shown: &Shown, folder: &str) -> Vec<u8> {
        shown.done.iter().map(|done| self.template(shown, done, folder)).collect()
    }

    fn template(&self, shown: &Shown, done: &Done, folder: &str) -> u8 {
        let destination = &done.spec.destination.path;
        for warning in &done.warnings {
            complain(&format!("warning: {warning}"));
        }
        let output = match &done.result {
            Ok(output) => output,
            Err(failed) => {
                complain(&failure(&header(shown, destination), failed));
                return failed.code();
            }
        };
        // Names of secrets, which is what a listing answers, are none themselves.
        let used = done.used.iter().filter(|request| !matches!(request.verb, Verb::List));
        let secrets = used.filter_map(|request| shown.answers.get(request)).map(AsRef::as_ref);
        let mask = self.masked.then(|| Mask::new(secrets));
        self.files(output, destination)
            .into_iter()
            .map(|file| self.file(shown, &file, mask.as_ref(), folder))
            .find(|code| *code != 0)
            .unwrap_or(0)
    }

    fn files<'o>(&self, output: &'o Output, destination: &'o Path) -> Vec<File<'o>> {
        let own = File { path: destination, bytes: &output.bytes, append: false, note: String::new() };
        let effects = output.effects.iter().map(|effect| {
            let owner = [&effect.user, &effect.group].map(String::as_str).join(":");
            let owner = if owner == ":" { String::new() } else { format!(", owner {owner}") };
            let append = if effect.append { ", appended" } else { "" };
            let note = format!(" (writeToFile, mode {:04o}{owner}{append})", effect.mode);
            File { path: &effect.path, bytes: &effect.contents, append: effect.append, note }
        });
        std::iter::once(own).chain(effects).collect()
    }

    fn file(&self, shown: &Shown, file: &File<'_>, mask: Option<&Mask>, folder: &str) -> u8 {
        let out = self.options.out.as_ref().map(|out| Folder::new(&out.join(folder)));
        if self.options.diff {
            let place = out.as_ref().map_or_else(|| file.path.to_owned(), |out| out.place(file.path));
            return difference(&place, file, mask);
        }
        let Some(out) = out else {
            if self.headers {
                print(format!("==> {}{} <==\n", header(shown, file.path), file.note).as_bytes());
            }
            match mask {
                Some(mask) => print(mask.apply(&String::from_utf8_lossy(file.bytes)).as_bytes()),
                None => print(file.bytes),
            }
            // A last line without an end would run into the next header, or into the prompt.
            if (self.headers || self.masked) && file.bytes.last().is_some_and(|byte| *byte != b'\n') {
                print(b"\n");
            }
            return 0;
        };
        match out.write(file.path, file.bytes, file.append) {
            Ok(written) => {
                let word = if written == Written::Same { "same " } else { "wrote" };
                print(format!("{word} {}\n", out.place(file.path).display()).as_bytes());
                0
            }
            Err(trouble) => {
                complain(&format!("error: {}", problem::chain(&trouble)));
                CONFIGURATION
            }
        }
    }
}

/// A file that a template makes.
struct File<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    append: bool,
    note: String,
}

fn header(shown: &Shown, path: &Path) -> String {
    match &shown.unit.pod {
        Some(pod) => format!("{pod}: {}", path.display()),
        None => path.display().to_string(),
    }
}

/// Shows what would change at `place`. Of lines that go only the key is shown where values are hidden: nobody knows
/// the old ones.
fn difference(place: &Path, file: &File<'_>, mask: Option<&Mask>) -> u8 {
    let old = match std::fs::read(place) {
        Ok(old) => old,
        Err(trouble) if trouble.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(trouble) => {
            complain(&format!("error: {} can't be read: {trouble}", place.display()));
            return CONFIGURATION;
        }
    };
    let (old, new) = (String::from_utf8_lossy(&old), String::from_utf8_lossy(file.bytes));
    let new = if file.append { [old.as_ref(), &new].concat().into() } else { new };
    let names = (format!("{} (now)", place.display()), format!("{} (rendered)", place.display()));
    let show_new = |line: &str| mask.map_or_else(|| line.to_owned(), |mask| mask.apply(line));
    let show_old = |line: &str| if mask.is_some() { key_only(line) } else { line.to_owned() };
    if let Some(text) = diff::unified((&names.0, &names.1), (&old, &new), show_old, show_new) {
        print(text.as_bytes());
    }
    0
}

fn key_only(line: &str) -> String {
    match line.find(['=', ':']) {
        Some(at) => format!("{}{MASK}", &line[..=at]),
        None if line.trim().is_empty() => line.to_owned(),
        None => MASK.to_owned(),
    }
}

fn failure(destination: &str, failed: &Failed) -> String {
    match failed {
        Failed::Template(message) => format!("error: {destination} can't be rendered:\n{message}"),
        Failed::Refused(refusals) => {
            let mut text = format!("error: {destination} can't be rendered:");
            for refusal in refusals {
                text.push_str(&format!("\n  {}", refusal.message.replace('\n', "\n  ")));
                if let Some(hint) = &refusal.hint {
                    text.push_str(&format!("\n    hint: {hint}"));
                }
            }
            text
        }
    }
}

/// Bytes on standard output. A reader that went away is no failure of ours.
fn print(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}
