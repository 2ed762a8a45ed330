//! Reads policy text: the little of HCL that policies use, or JSON.
//!
//! Syntax: <https://developer.hashicorp.com/vault/docs/concepts/policies>.

use std::iter::Peekable;

use serde::Deserialize;

/// One `path` stanza.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stanza {
    pub(super) path: String,
    pub(super) capabilities: Vec<String>,
}

/// Parses a policy; the error is worded for the answer, without the server's prefix.
pub(super) fn parse(text: &str) -> Result<Vec<Stanza>, String> {
    if text.trim_start().starts_with('{') { parse_json(text) } else { Reader::new(text)?.policy() }
}

fn parse_json(text: &str) -> Result<Vec<Stanza>, String> {
    #[derive(Deserialize)]
    struct Policy {
        #[serde(default)]
        path: std::collections::BTreeMap<String, Rules>,
    }
    #[derive(Deserialize)]
    struct Rules {
        #[serde(default)]
        capabilities: Vec<String>,
    }
    let policy: Policy = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(policy
        .path
        .into_iter()
        .map(|(path, rules)| Stanza { path, capabilities: rules.capabilities })
        .collect())
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

struct Reader {
    tokens: Peekable<std::vec::IntoIter<Token>>,
}

impl Reader {
    fn new(text: &str) -> Result<Self, String> {
        Ok(Self { tokens: tokens(text)?.into_iter().peekable() })
    }

    fn policy(mut self) -> Result<Vec<Stanza>, String> {
        let mut stanzas = Vec::new();
        while let Some(token) = self.tokens.next() {
            match token {
                Token::Word(word) if word == "path" => {
                    let Some(Token::Text(path)) = self.tokens.next() else {
                        return Err("expected a quoted path after `path`".into());
                    };
                    let capabilities = self.stanza()?;
                    stanzas.push(Stanza { path, capabilities });
                }
                // `name = "..."` stands at the top of old policies and means nothing.
                Token::Word(word) if word == "name" => {
                    self.sign('=')?;
                    self.tokens.next();
                }
                other => return Err(format!("invalid key {}", shown(&other))),
            }
        }
        Ok(stanzas)
    }

    fn stanza(&mut self) -> Result<Vec<String>, String> {
        self.sign('{')?;
        let mut capabilities = Vec::new();
        loop {
            match self.tokens.next() {
                Some(Token::Sign('}')) => return Ok(capabilities),
                Some(Token::Sign(',')) => {}
                Some(Token::Word(key) | Token::Text(key)) => {
                    if self.tokens.peek() == Some(&Token::Sign('=')) {
                        self.tokens.next();
                    }
                    if key == "capabilities" {
                        capabilities = self.strings()?;
                    } else {
                        self.skip_value()?;
                    }
                }
                Some(other) => return Err(format!("unexpected {} in a path stanza", shown(&other))),
                None => return Err("object expected closing RBRACE got: EOF".into()),
            }
        }
    }

    fn strings(&mut self) -> Result<Vec<String>, String> {
        self.sign('[')?;
        let mut strings = Vec::new();
        loop {
            match self.tokens.next() {
                Some(Token::Sign(']')) => return Ok(strings),
                Some(Token::Sign(',')) => {}
                Some(Token::Text(text)) => strings.push(text),
                Some(other) => return Err(format!("unexpected {} in a list", shown(&other))),
                None => return Err("list expected closing RBRACK got: EOF".into()),
            }
        }
    }

    /// Steps over a value that this server doesn't act on, such as `allowed_parameters`.
    fn skip_value(&mut self) -> Result<(), String> {
        let mut depth = 0_usize;
        loop {
            match self.tokens.next() {
                Some(Token::Sign('{' | '[')) => depth += 1,
                Some(Token::Sign('}' | ']')) => depth = depth.saturating_sub(1),
                Some(_) => {}
                None => return Err("value expected got: EOF".into()),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn sign(&mut self, sign: char) -> Result<(), String> {
        match self.tokens.next() {
            Some(Token::Sign(found)) if found == sign => Ok(()),
            Some(other) => Err(format!("expected `{sign}`, found {}", shown(&other))),
            None => Err(format!("expected `{sign}` got: EOF")),
        }
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Text(text) => format!("{text:?}"),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '#' => while letters.next_if(|c| *c != '\n').is_some() {},
            '/' if letters.peek() == Some(&'/') => while letters.next_if(|c| *c != '\n').is_some() {},
            '/' if letters.peek() == Some(&'*') => {
                let mut last = ' ';
                for next in letters.by_ref().skip(1) {
                    if last == '*' && next == '/' {
                        break;
                    }
                    last = next;
                }
            }
            '"' => found.push(Token::Text(quoted(&mut letters)?)),
            '{' | '}' | '[' | ']' | '=' | ',' => found.push(Token::Sign(letter)),
            letter if letter.is_whitespace() => {}
            letter if letter.is_alphanumeric() || "_-.".contains(letter) => {
                let mut word = String::from(letter);
                while let Some(next) = letters.next_if(|c| c.is_alphanumeric() || "_-.".contains(*c)) {
                    word.push(next);
                }
                found.push(Token::Word(word));
            }
            other => return Err(format!("illegal character {other:?}")),
        }
    }
    Ok(found)
}

fn quoted(letters: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Ok(text),
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    Err("literal not terminated".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(path: &str, capabilities: &[&str]) -> Stanza {
        Stanza {
            path: path.into(),
            capabilities: capabilities.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn hcl_and_json_mean_the_same() {
        let hcl = r#"
            # reads
            path "secret/data/app/*" { capabilities = ["read", "list"] } // one
            /* and
               one more */
            path "sys/mounts" {
              capabilities = ["sudo"]
              allowed_parameters = { "a" = ["b", "c"] }
              min_wrapping_ttl = "1s"
            }"#;
        let json = r#"{"path": {"secret/data/app/*": {"capabilities": ["read", "list"]},
            "sys/mounts": {"capabilities": ["sudo"]}}}"#;
        let expected = [stanza("secret/data/app/*", &["read", "list"]), stanza("sys/mounts", &["sudo"])];
        assert_eq!(parse(hcl).unwrap(), expected);
        assert_eq!(parse(json).unwrap(), expected);
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        for text in ["path \"x\" {", "path \"x", "path { }", "path \"x\" { capabilities = [", "foo = 1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
