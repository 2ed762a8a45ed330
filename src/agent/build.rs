//! From a configuration to the parts of a run: everything that can fail fails here, before anything is served.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use super::{
    endpoints::{self, Endpoints},
    environment,
    host::{World, open_regular},
    plan::{Plan, PlanConfig},
    upstream::{self, UpstreamError},
};
use crate::{
    action,
    chance::Chance,
    clock::{Clock, zone::Zone},
    config::{
        Config,
        env::Environment,
        partials,
        template::{TemplateSource, TemplateSpec},
    },
    listener::BindError,
    output,
    problem::{Problem, system_words},
    process::{
        harden,
        pid_file::{PidFile, PidFileError},
        service_manager::ServiceManager,
    },
    secrets::{
        request::{AuthId, SecretRequest},
        schedule,
    },
    sink::{SinkError, Sinks, Written},
    template::{Identity, Partial, Template},
    vault::{gate::Gate, lifetime::Rules},
};

/// A template file may be this large.
const LARGEST_TEMPLATE: u64 = 16 << 20;

/// Why a run can't start. Each says where and what to do.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The way to the server.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// Templates that can't be read or don't parse, in a run that must not go on without them.
    #[error("{}", .0.join("\n"))]
    Templates(Vec<String>),
    /// A sink that can't be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The pid file.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// An endpoint of ours.
    #[error(transparent)]
    Listen(#[from] BindError),
}

impl BuildError {
    /// Whether a folder or file system is in the way rather than the configuration.
    pub const fn is_write(&self) -> bool {
        matches!(self, Self::Sink(_) | Self::PidFile(_) | Self::Listen(_))
    }
}

/// The parts of a run.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Templates that parse.
    pub templates: Vec<(Arc<TemplateSpec>, Template)>,
    /// Those that don't, as the user reads it.
    pub broken: Vec<String>,
    /// The plan over the templates.
    pub plan: Plan,
    /// The server behind its gate.
    pub gate: Gate,
    /// Settings of all requests.
    pub settings: schedule::Settings,
    /// Sinks that have proved that they can be written, and the news of their writes.
    pub sinks: Option<(Sinks, Written)>,
    /// Whose requests the templates make.
    pub identity: Identity,
    /// What templates see.
    pub world: World,
    /// What commands get.
    pub command_env: action::command::Environment,
    /// Hears when the run is ready, reloads and stops.
    pub service_manager: Arc<ServiceManager>,
    /// Where requests are answered.
    pub endpoints: Endpoints,
    /// Removed when the run is over.
    pub pid_file: Option<PidFile>,
    /// Time.
    pub clock: Clock,
}

impl Parts {
    /// Builds everything.
    ///
    /// # Errors
    /// The first thing that keeps the run from starting.
    pub fn build(config: Config, environment: &Environment, clock: Clock) -> Result<Self, BuildError> {
        let gate = upstream::gate(&config.vault, &config.template_config, clock, Chance::system())?;
        let (templates, broken) = compile(&config)?;
        remove_leftovers(&config);
        let sinks = sinks(&config)?;
        let pid_file = config.pid_file.as_deref().map(PidFile::create).transpose()?;
        let endpoints = endpoints::bind(&config, environment.get("HOME"))?;
        let identity = Identity { auth: AuthId::default(), namespace: config.vault.namespace.clone() };
        let known = templates.iter().map(|(spec, template)| {
            let literal: BTreeSet<SecretRequest> = template.literal_requests(&identity).into_iter().collect();
            (spec.clone(), literal)
        });
        let plan = Plan::new(
            PlanConfig {
                once: config.exit_after_auth,
                complete: broken.is_empty(),
                exit_on_failure: config.template_config.exit_on_retry_failure,
                retries: config.vault.num_retries,
                // Without sinks this is over with the first token.
                sinks: sinks.is_some(),
            },
            known.collect(),
        );
        let zone = zone(environment, &templates);
        let env = environment::of_templates(environment, &config.vault);
        Ok(Self {
            settings: settings(&config),
            command_env: environment::of_commands(&env),
            world: World { env: Arc::new(env), zone },
            config,
            templates,
            broken,
            plan,
            gate,
            sinks,
            identity,
            service_manager: Arc::new(ServiceManager::connect(
                environment.get("NOTIFY_SOCKET").map(OsStr::new),
            )),
            endpoints,
            pid_file,
            clock,
        })
    }
}

/// The local time zone, looked for only when a template reads times: a start without them needs none of its files, which
/// small images don't have.
fn zone(environment: &Environment, templates: &[(Arc<TemplateSpec>, Template)]) -> Arc<Zone> {
    if !templates.iter().any(|(_, template)| template.text().contains("oDate")) {
        return Zone::utc();
    }
    Zone::local(environment.get("TZ")).unwrap_or_else(|unknown| {
        tracing::warn!(target: "agent", "TZ: {unknown}; templates read times as UTC. Mount the file, or leave TZ away");
        Zone::utc()
    })
}

/// Removes what a killed run has left half done in the folders that this one writes to.
fn remove_leftovers(config: &Config) {
    let files = config.templates.iter().map(|spec| spec.destination.path.as_path());
    let sinks = config.auto_auth.iter().flat_map(|login| &login.sinks).map(|sink| sink.path.as_path());
    let mut folders: BTreeSet<&Path> = files.chain(sinks).filter_map(Path::parent).collect();
    folders.extend(config.handover.as_ref().map(|handover| handover.folder.as_path()));
    output::leftovers::remove(folders);
}

/// Templates with their texts parsed; one that doesn't parse ends the run only where failures do.
type Compiled = (Vec<(Arc<TemplateSpec>, Template)>, Vec<String>);

fn compile(config: &Config) -> Result<Compiled, BuildError> {
    let (mut templates, mut broken, mut fatal) = (Vec::new(), Vec::new(), Vec::new());
    let mut torn: BTreeMap<String, PathBuf> = BTreeMap::new();
    for spec in &config.templates {
        let mut load = |name: &str| partials::read(spec.partials_path.as_deref(), name).map(Partial::from);
        match text(spec).map(|text| Template::compile(spec, &text, &mut load)) {
            Ok(Ok(template)) => templates.push((spec.clone(), template)),
            Ok(Err(error)) if config.template_config.exit_on_retry_failure && spec.error_fatal => {
                fatal.push(error.to_string());
            }
            Ok(Err(error)) => {
                broken.push(error.to_string());
                torn.extend(
                    spec.group.as_ref().map(|group| (group.name.clone(), spec.destination.path.clone())),
                );
            }
            Err(problem) => fatal.push(problem.to_string()),
        }
    }
    // A group is written as a whole or not at all.
    templates.retain(|(spec, _)| {
        let group = spec.group.as_ref().and_then(|group| torn.get_key_value(&group.name));
        if let Some((group, other)) = group {
            broken.push(format!(
                "{}: {} is not written, because {} of its group `{group}` can't be rendered",
                spec.origin,
                spec.destination.path.display(),
                other.display()
            ));
        }
        group.is_none()
    });
    if fatal.is_empty() { Ok((templates, broken)) } else { Err(BuildError::Templates(fatal)) }
}

fn text(spec: &TemplateSpec) -> Result<String, Problem> {
    match &spec.source {
        TemplateSource::Inline(text) => Ok(text.to_string()),
        TemplateSource::Default { .. } | TemplateSource::Formatted { .. } => Ok(String::new()),
        TemplateSource::File(path) => read(path).map_err(|why| {
            let problem = Problem::error(format!("can't read the template file {}: {why}", path.display()));
            problem
                .at(spec.origin.clone())
                .hint("check the path, and that the volume with it is mounted here")
        }),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let file = open_regular(path)?;
    let mut text = Vec::new();
    file.take(LARGEST_TEMPLATE + 1).read_to_end(&mut text).map_err(|error| system_words(&error))?;
    if text.len() as u64 > LARGEST_TEMPLATE {
        return Err(format!("it is larger than {} MiB", LARGEST_TEMPLATE >> 20));
    }
    String::from_utf8(text)
        .map_err(|error| format!("it is not UTF-8 text (byte {} is not)", error.utf8_error().valid_up_to()))
}

fn sinks(config: &Config) -> Result<Option<(Sinks, Written)>, SinkError> {
    let Some(auto_auth) = &config.auto_auth else { return Ok(None) };
    let sinks = auto_auth.sinks.clone();
    let umask = if sinks.is_empty() { 0 } else { harden::umask() };
    Sinks::open(sinks, umask, Chance::system()).map(Some)
}

fn settings(config: &Config) -> schedule::Settings {
    let template = &config.template_config;
    let method = config.auto_auth.as_ref().map(|auto_auth| &auto_auth.method);
    schedule::Settings {
        rules: Rules {
            static_interval: template.static_secret_render_interval,
            static_interval_is_set: template.static_interval_is_set,
            threshold: template.lease_renewal_threshold,
        },
        retry_base: method.and_then(|method| method.retry_base).unwrap_or(schedule::RETRY_BASE),
        retry_cap: method.and_then(|method| method.retry_cap).unwrap_or(schedule::RETRY_CAP),
        retries: config.vault.num_retries,
    }
}
