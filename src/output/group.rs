//! Files that change together: all of them complete under temporary names, then each gets its own; or none does.
//!
//! The renames follow one another without anything in between, but they are several steps: a reader can meet the first
//! file new and the second one old. Who can't have that asks for an atomic group (`super::swap`), or waits for the
//! action, which comes after the last rename.

use super::{
    Replacement, WriteError, Written,
    atomic::{Before, Staged},
    effect::{Effect, Sequence, sequences},
    owner::Accounts,
    swap,
};
use crate::config::template::Destination;

/// One member: the file of a template, and those beside it.
pub struct Member<'a> {
    /// The template's file.
    pub destination: &'a Destination,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Files that the template writes beside its own (`writeToFile`).
    pub effects: Vec<Effect<'a>>,
}

/// Why a group was not written.
#[derive(Debug)]
pub struct GroupError {
    /// The member that failed.
    pub member: usize,
    /// Why.
    pub source: WriteError,
    /// The files are new all the same: a link to one of them is missing.
    pub changed: bool,
}

/// How the new files get their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// One right after the other.
    InTurn,
    /// All at once, by a link that is swapped.
    AtOnce,
}

/// Makes all files of a group hold these bytes and says per member what became of them.
///
/// Each file by itself is judged and written as [`super::write`] and [`super::effect::apply`] do. Files that are added
/// to ([`super::effect::appending`]) have no part in it: that can't be taken back, so it comes after.
///
/// # Errors
/// All files are as before, unless [`GroupError::changed`] says otherwise.
pub fn write(members: &[Member<'_>], manner: Manner) -> Result<Vec<Written>, GroupError> {
    write_with(members, manner, &Accounts::system())
}

pub(super) fn write_with(
    members: &[Member<'_>],
    manner: Manner,
    accounts: &Accounts,
) -> Result<Vec<Written>, GroupError> {
    let beside: Vec<Vec<Sequence<'_>>> = members.iter().map(|member| sequences(&member.effects)).collect();
    let set = match manner {
        Manner::InTurn => None,
        Manner::AtOnce => swap::Set::of(members, &beside, accounts)?,
    };
    let mut written = vec![Written::Same; members.len()];
    let alone = replacements(members, &beside, manner, accounts)?;
    in_turn(&alone, &mut written, |written| match &set {
        Some(set) => set.swap(written),
        None => Ok(()),
    })?;
    Ok(written)
}

/// What has to be done to the files that get their names one by one.
fn replacements<'a>(
    members: &'a [Member<'_>],
    beside: &'a [Vec<Sequence<'_>>],
    manner: Manner,
    accounts: &Accounts,
) -> Result<Vec<(usize, Replacement<'a>)>, GroupError> {
    let mut all = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let failed = |source| GroupError { member: at, source, changed: false };
        if manner == Manner::InTurn {
            let own = Replacement::of(member.destination, member.bytes, accounts).map_err(failed)?;
            all.extend(own.map(|own| (at, own)));
        }
        for sequence in beside[at].iter().filter(|sequence| !sequence.append) {
            if manner == Manner::AtOnce && swap::belongs(member.destination, sequence) {
                continue;
            }
            let more = sequence.replacement(accounts).map_err(failed)?;
            all.extend(more.map(|more| (at, more)));
        }
    }
    Ok(all)
}

/// Makes all files, then names them, then does `last`; puts everything back when something fails.
fn in_turn(
    all: &[(usize, Replacement<'_>)],
    written: &mut [Written],
    last: impl FnOnce(&mut [Written]) -> Result<(), GroupError>,
) -> Result<(), GroupError> {
    let mut staged: Vec<Staged<'_>> = Vec::with_capacity(all.len());
    for (member, one) in all {
        let file = one.folder.stage(one.name, one.bytes, &one.attributes);
        staged.push(file.map_err(|source| GroupError { member: *member, source, changed: false })?);
    }
    let before: Vec<Before<'_>> = staged.iter().map(Staged::keep_before).collect();
    let mut placed = 0;
    let mut result = Ok(());
    for (file, (member, one)) in staged.into_iter().zip(all) {
        one.keep_backup();
        if let Err(source) = file.place() {
            result = Err(GroupError { member: *member, source, changed: false });
            break;
        }
        written[*member] = written[*member].and(one.written);
        placed += 1;
    }
    let result = result.and_then(|()| last(written));
    let mut synced = Vec::new();
    for (_, one) in &all[..placed] {
        if !synced.contains(&one.folder.path()) {
            one.folder.sync();
            synced.push(one.folder.path());
        }
    }
    if result.as_ref().is_err_and(|error| !error.changed) {
        for (before, (_, one)) in before[..placed].iter().zip(all).rev() {
            match before {
                Before::Kept(before) => before.put_back(),
                Before::Nothing => one.folder.remove(one.name),
                // The new file is better than none.
                Before::Unkept => {}
            }
        }
    }
    result
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests;
