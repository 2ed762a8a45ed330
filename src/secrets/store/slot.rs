//! What the store keeps of one request.

use tokio_util::time::delay_queue::Key;

use super::{Entry, Places};
use crate::{
    clock::{Clock, Moment},
    vault::lifetime::Rules,
};

pub(super) struct Slot {
    pub(super) entry: Entry,
    pub(super) timer: Option<Key>,
    /// When the entry was last told something that it acted on.
    pub(super) since: Moment,
    pub(super) serial: u64,
    /// Where a certificate may be on disk.
    pub(super) places: Places,
    /// Refresh rules, when they aren't those of the run.
    pub(super) rules: Option<Rules>,
}

impl Slot {
    /// Nothing has happened to it yet.
    pub(super) fn new(serial: u64, places: Places, rules: Option<Rules>, clock: Clock) -> Self {
        Self { entry: Entry::new(), timer: None, since: clock.moment(), serial, places, rules }
    }
}
