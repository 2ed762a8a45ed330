//! Owners by name: names become ids by reading the account files, never through the C library's name services.
//!
//! Those services load shared objects at run time, which ends a static program with a signal on many images.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A user and a group; `None` means that nothing is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
}

impl Ids {
    /// Whether neither is asked for.
    pub const fn is_empty(self) -> bool {
        self.uid.is_none() && self.gid.is_none()
    }
}

/// What a name was meant to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    User,
    Group,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// Why a name gave no id.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The account file doesn't know the name.
    #[error("{kind}: unknown {kind} {name}: {} has no line for it", file.display())]
    Unknown {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Where it was looked for.
        file: PathBuf,
    },
    /// The account file can't be read.
    #[error("{kind}: can't look up {name} in {}", file.display())]
    Unreadable {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The two account files.
#[derive(Clone, Debug)]
pub struct Accounts {
    passwd: PathBuf,
    group: PathBuf,
}

impl Accounts {
    /// `/etc/passwd` and `/etc/group` of the image the program runs in.
    pub fn system() -> Self {
        Self { passwd: "/etc/passwd".into(), group: "/etc/group".into() }
    }

    /// Account files at other places.
    pub fn at(passwd: impl Into<PathBuf>, group: impl Into<PathBuf>) -> Self {
        Self { passwd: passwd.into(), group: group.into() }
    }

    /// Ids for a user and a group, each a name, a number, or empty for none.
    ///
    /// # Errors
    /// A name that its account file doesn't have, or an account file that can't be read.
    pub fn ids(&self, user: &str, group: &str) -> Result<Ids, OwnerError> {
        Ok(Ids { uid: id(Kind::User, user, &self.passwd)?, gid: id(Kind::Group, group, &self.group)? })
    }
}

fn id(kind: Kind, name: &str, file: &Path) -> Result<Option<u32>, OwnerError> {
    let name = name.trim();
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    // Lossy, because a line in another encoding must not hide the others.
    let accounts = std::fs::read(file).map_err(|source| OwnerError::Unreadable {
        kind: kind.word(),
        name: name.to_owned(),
        file: file.to_owned(),
        source,
    })?;
    find(&String::from_utf8_lossy(&accounts), name).map(Some).ok_or_else(|| OwnerError::Unknown {
        kind: kind.word(),
        name: name.to_owned(),
        file: file.to_owned(),
    })
}

/// The third field of the first line whose first field is the name; passwd(5) and group(5) agree on both.
fn find(accounts: &str, name: &str) -> Option<u32> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.trim().parse().ok())?
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests lay out the files they look at")]
mod tests {
    use super::*;

    fn accounts(dir: &Path) -> Accounts {
        std::fs::write(
            dir.join("passwd"),
            b"root:x:0:0::/:\n# comment\n\xff\xfe:x:7:7\napp:x:100:1000:an app:/home/app:/bin/sh\nodd:x:none:1\n",
        )
        .unwrap();
        std::fs::write(dir.join("group"), "root:x:0:\napp:x:1000:app,root\n").unwrap();
        Accounts::at(dir.join("passwd"), dir.join("group"))
    }

    #[test]
    fn names_numbers_and_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let accounts = accounts(dir.path());
        assert_eq!(accounts.ids("app", "app").unwrap(), Ids { uid: Some(100), gid: Some(1000) });
        assert_eq!(accounts.ids("4294967294", " 7 ").unwrap(), Ids { uid: Some(u32::MAX - 1), gid: Some(7) });
        assert!(accounts.ids("", " ").unwrap().is_empty());
    }

    #[test]
    fn a_name_is_a_whole_field() {
        let dir = tempfile::tempdir().unwrap();
        let accounts = accounts(dir.path());
        for name in ["ap", "app:x", "odd", "-1", "x"] {
            let error = accounts.ids(name, "").unwrap_err();
            assert!(matches!(error, OwnerError::Unknown { .. }), "{name}: {error}");
        }
        assert!(accounts.ids("nobody", "").unwrap_err().to_string().starts_with("user: unknown user nobody"));
        assert!(accounts.ids("", "staff").unwrap_err().to_string().starts_with("group: unknown group staff"));
    }

    #[test]
    fn a_bare_root_has_no_account_files_but_numbers_work() {
        let accounts = Accounts::at("/nonexistent/passwd", "/nonexistent/group");
        assert_eq!(accounts.ids("100", "1000").unwrap(), Ids { uid: Some(100), gid: Some(1000) });
        assert!(matches!(accounts.ids("app", ""), Err(OwnerError::Unreadable { .. })));
    }
}
