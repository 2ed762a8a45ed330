//! Runs that render once and end: all sides in turns, so that what disturbs the machine disturbs all of them.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    floor,
    measure::{Cost, measure},
    server::{self, Server},
    table::{self, Table},
};

/// Who takes part.
#[derive(Clone, Debug)]
pub(crate) enum Side {
    /// A program that takes `agent -config=FILE`.
    Program {
        /// Its name in the tables.
        name: &'static str,
        /// The program.
        path: PathBuf,
    },
    /// The least work possible.
    Floor {
        /// Over so many connections.
        connections: usize,
    },
}

impl Side {
    /// A program.
    pub(crate) fn program(name: &'static str, path: &Path) -> Self {
        Self::Program { name, path: path.to_owned() }
    }

    fn name(&self) -> String {
        match self {
            Self::Program { name, .. } => (*name).to_owned(),
            Self::Floor { connections: 1 } => "floor, 1 connection".to_owned(),
            Self::Floor { connections } => format!("floor, {connections} connections"),
        }
    }
}

/// One size.
pub(crate) struct Contest<'a> {
    /// The server of all.
    pub server: &'a Server,
    /// What it is, for the title.
    pub kind: &'static str,
    /// How many templates.
    pub templates: usize,
    /// Most rounds.
    pub rounds: usize,
    /// After this time no further round begins, but there are three in any case.
    pub limit: Duration,
}

impl Contest<'_> {
    /// Runs all rounds.
    pub(crate) fn run(&self, sides: &[Side]) -> Result<Table, String> {
        let start = Instant::now();
        let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); sides.len()];
        let mut rounds = 0;
        while rounds < self.rounds && (rounds < 3 || start.elapsed() < self.limit) {
            // Who begins changes, so that nobody always profits from what another has just warmed up.
            for turn in 0..sides.len() {
                let index = (turn + rounds) % sides.len();
                costs[index].push(self.once(&sides[index])?);
            }
            rounds += 1;
        }
        Ok(self.table(sides, &costs, rounds))
    }

    fn once(&self, side: &Side) -> Result<Cost, String> {
        let folder = self.server.destination("run")?;
        let command: Vec<OsString> = match side {
            Side::Program { path, .. } => {
                let config = self.server.config(&folder, self.templates, true)?;
                vec![path.into(), "agent".into(), format!("-config={}", config.display()).into()]
            }
            Side::Floor { connections } => vec![
                env::current_exe().map_err(|trouble| trouble.to_string())?.into(),
                floor::COMMAND.into(),
                self.server.address.to_string().into(),
                self.server.role_id().into(),
                self.server.secret_id().into(),
                folder.clone().into(),
                self.templates.to_string().into(),
                connections.to_string().into(),
            ],
        };
        let cost = measure(command)?;
        for index in 0..self.templates {
            let written = fs::read_to_string(folder.join(server::file(index))).unwrap_or_default();
            if written != server::contents(index) {
                return Err(format!("{}: file {index} is not right: {written:?}", side.name()));
            }
        }
        fs::remove_dir_all(&folder).map_err(|trouble| trouble.to_string())?;
        Ok(cost)
    }

    fn table(&self, sides: &[Side], costs: &[Vec<Cost>], rounds: usize) -> Table {
        let plural = if self.templates == 1 { "" } else { "s" };
        let title = format!(
            "once, {} template{plural}, {}: median (min–max) of {rounds} rounds",
            self.templates, self.kind
        );
        let mut table = Table::new(&title, &["", "wall ms", "CPU ms", "peak RSS MB", "wall × floor"]);
        let wall = |costs: &[Cost]| table::median(&costs.iter().map(|cost| cost.wall).collect::<Vec<_>>());
        let floors = sides.iter().zip(costs).filter(|(side, _)| matches!(side, Side::Floor { .. }));
        let floor = floors.map(|(_, costs)| wall(costs)).fold(f64::INFINITY, f64::min);
        for (side, costs) in sides.iter().zip(costs) {
            let column = |unit: f64, of: fn(&Cost) -> f64| {
                table::spread(&costs.iter().map(|cost| of(cost) / unit).collect::<Vec<_>>())
            };
            table.row(&[
                &side.name(),
                &column(1e-3, |cost| cost.wall),
                &column(1e-3, |cost| cost.cpu),
                &column(f64::from(1 << 20), |cost| cost.peak),
                &format!("{:.2}", wall(costs) / floor),
            ]);
        }
        table
    }
}
