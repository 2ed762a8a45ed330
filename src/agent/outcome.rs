//! How a run ends, and what exit code that is.

use crate::secrets::entry::FailureClass;

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is rendered, written and followed up; a run that renders once is over.
    Done {
        /// Actions that failed.
        failed_actions: usize,
    },
    /// Asked to stop.
    Stopped,
    /// Auto-auth has given up.
    Login(String),
    /// A secret can't be had.
    Fetch {
        /// Why.
        class: FailureClass,
        /// Words for the user.
        message: String,
    },
    /// A template can't be rendered.
    Template(String),
    /// A file can't be written.
    Write(String),
    /// The deadline passed before everything was rendered: what was still awaited then, and why.
    Deadline(String),
    /// Something of the own house broke: a task ended unasked.
    Internal(String),
}

impl Outcome {
    /// Exit code of `agent`, as the original's: 0 or 1. A failed action does not count.
    pub const fn agent_code(&self) -> u8 {
        match self {
            Self::Done { .. } | Self::Stopped => 0,
            _ => 1,
        }
    }

    /// Exit code of `init` and `sidecar`: 0 done, 2 configuration, 3 login, 4 denied or missing, 5 deadline,
    /// 6 write or action failed, 1 anything else.
    pub const fn init_code(&self) -> u8 {
        match self {
            Self::Done { failed_actions: 0 } | Self::Stopped => 0,
            Self::Template(_) => 2,
            Self::Login(_) => 3,
            Self::Fetch { .. } => 4,
            Self::Deadline(_) => 5,
            Self::Done { .. } | Self::Write(_) => 6,
            Self::Internal(_) => 1,
        }
    }

    /// What the user reads when it is not a success.
    pub fn message(&self) -> Option<String> {
        match self {
            Self::Done { failed_actions: 0 } | Self::Stopped => None,
            Self::Done { failed_actions } => {
                Some(format!("{failed_actions} action(s) failed, see the log above"))
            }
            Self::Login(message)
            | Self::Template(message)
            | Self::Write(message)
            | Self::Internal(message) => Some(message.clone()),
            Self::Fetch { message, .. } => Some(message.clone()),
            Self::Deadline(awaited) => {
                Some(format!("the deadline passed before everything was rendered: {awaited}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_command_line_table() {
        let denied = Outcome::Fetch { class: FailureClass::Denied, message: "m".into() };
        let table = [
            (Outcome::Done { failed_actions: 0 }, 0, 0),
            (Outcome::Done { failed_actions: 2 }, 0, 6),
            (Outcome::Stopped, 0, 0),
            (Outcome::Template("m".into()), 1, 2),
            (Outcome::Login("m".into()), 1, 3),
            (denied, 1, 4),
            (Outcome::Deadline("m".into()), 1, 5),
            (Outcome::Write("m".into()), 1, 6),
            (Outcome::Internal("m".into()), 1, 1),
        ];
        for (outcome, agent, init) in table {
            assert_eq!((outcome.agent_code(), outcome.init_code()), (agent, init), "{outcome:?}");
            assert_eq!(outcome.message().is_some(), init != 0, "{outcome:?}");
        }
    }
}
