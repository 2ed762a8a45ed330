//! Method `token_file`: a token that somebody else puts into a file; `lookup-self` tells how long it lives.

use std::path::{Path, PathBuf};

use super::method::{LoginRequest, MethodError, read_trimmed};
use crate::vault::token::Token;

/// The method's settings and the last token read.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
    last: Option<Token>,
}

impl TokenFile {
    /// Takes the token from this file.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), last: None }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The look-up with the token that is in the file now; while the file can't be read or is empty, with the last
    /// good one.
    ///
    /// # Errors
    /// No token now, and none before.
    pub fn prepare(&mut self) -> Result<LoginRequest, MethodError> {
        if let Err(error) = self.take() {
            if self.last.is_none() {
                return Err(error);
            }
            let error = error.to_string();
            tracing::warn!(target: "agent.auth.token_file", error, "keeping the last token that was read");
        }
        match &self.last {
            Some(token) => Ok(LoginRequest::Lookup { token: token.clone() }),
            None => Err(MethodError::Empty { what: "the token file", path: self.path.clone() }),
        }
    }

    /// Whether this is the token that is in the file.
    pub(super) fn holds(&mut self, token: &Token) -> bool {
        let _ = self.take();
        self.last.as_ref() == Some(token)
    }

    /// Looks at the file; whether there is a token that is not the last one.
    pub(super) fn look(&mut self) -> bool {
        self.take().unwrap_or(false)
    }

    fn take(&mut self) -> Result<bool, MethodError> {
        let found = Token::new(&read_trimmed("the token file", &self.path)?);
        let new = self.last.as_ref() != Some(&found);
        self.last = Some(found);
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own input file")]
    fn the_last_good_token_survives_a_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut method = TokenFile::new(&path);
        assert!(matches!(method.prepare().unwrap_err(), MethodError::Read { .. }));
        let token = |method: &mut TokenFile| match method.prepare().unwrap() {
            LoginRequest::Lookup { token } => token,
            _ => panic!("a look-up is expected"),
        };
        std::fs::write(&path, " hvs.one\n").unwrap();
        assert_eq!(token(&mut method), Token::new("hvs.one"));
        std::fs::write(&path, "").unwrap();
        assert_eq!(token(&mut method), Token::new("hvs.one"));
        std::fs::write(&path, "hvs.two").unwrap();
        assert_eq!(token(&mut method), Token::new("hvs.two"));
        assert!(!method.look());
        std::fs::write(&path, "hvs.three").unwrap();
        assert!(method.look() && !method.look());
    }
}
