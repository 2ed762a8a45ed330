//! URLs by the rules of Go's `net/url`, which differ from those of browsers: nothing is normalised.

use std::{fmt::Write as _, net::Ipv6Addr};

use crate::template::go::quote::quote;

/// The parts of a URL, decoded except for the query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// Scheme in lower case.
    pub scheme: String,
    /// What follows the scheme of a URL without slashes (`mailto:a@b`).
    pub opaque: String,
    /// User, decoded.
    pub user: Option<String>,
    /// Password, decoded.
    pub password: Option<String>,
    /// Host with its port.
    pub host: String,
    /// Path, decoded.
    pub path: Vec<u8>,
    /// Query without the question mark, as it is.
    pub query: String,
    /// Whether a question mark is written without a query.
    pub force_query: bool,
    /// Fragment, decoded.
    pub fragment: Vec<u8>,
}

/// Where a piece stands; it decides what is escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    User,
    Host,
    Path,
    Fragment,
}

impl Url {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// Go's words, without the URL that Go puts before them.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = Self { fragment: unescape(fragment)?, ..Self::default() };
        let (scheme, mut rest) = scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        if rest.ends_with('?') && rest.matches('?').count() == 1 {
            url.force_query = true;
            rest = &rest[..rest.len() - 1];
        } else if let Some((before, query)) = rest.split_once('?') {
            url.query = query.to_owned();
            rest = before;
        }
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                url.opaque = rest.to_owned();
                return Ok(url);
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        if let Some(after) = rest.strip_prefix("//")
            && (!scheme.is_empty() || !rest.starts_with("///"))
        {
            let end = after.find('/').unwrap_or(after.len());
            url.authority(&after[..end])?;
            rest = &after[end..];
        }
        url.path = unescape(rest)?;
        Ok(url)
    }

    fn authority(&mut self, text: &str) -> Result<(), String> {
        let Some((user, host)) = text.rsplit_once('@') else {
            self.host = check_host(text)?;
            return Ok(());
        };
        self.host = check_host(host)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
        if !user.chars().all(allowed) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let lossy = |text: &str| Ok::<_, String>(String::from_utf8_lossy(&unescape(text)?).into_owned());
        match user.split_once(':') {
            Some((user, password)) => {
                (self.user, self.password) = (Some(lossy(user)?), Some(lossy(password)?));
            }
            None => self.user = Some(lossy(user)?),
        }
        Ok(())
    }

    /// User and password as they stand before the `@`; empty when there are none.
    pub fn userinfo(&self) -> String {
        let Some(user) = &self.user else { return String::new() };
        let mut out = escape(user.as_bytes(), Piece::User);
        if let Some(password) = &self.password {
            out.push(':');
            out.push_str(&escape(password.as_bytes(), Piece::User));
        }
        out
    }

    /// The host without its port and brackets.
    pub fn hostname(&self) -> &str {
        let (host, port) = match self.host.rfind(':') {
            Some(at) if port_is_valid(&self.host[at..]) => self.host.split_at(at),
            _ => (self.host.as_str(), ""),
        };
        let _ = port;
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The URL in one piece.
    pub fn join(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            self.join_hierarchy(&mut out);
        } else {
            out.push_str(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escape(&self.fragment, Piece::Fragment));
        }
        out
    }

    fn join_hierarchy(&self, out: &mut String) {
        let has_authority = !self.host.is_empty() || self.user.is_some();
        if has_authority || (!self.scheme.is_empty() && !self.path.is_empty()) {
            out.push_str("//");
            if self.user.is_some() {
                out.push_str(&self.userinfo());
                out.push('@');
            }
            out.push_str(&escape(self.host.as_bytes(), Piece::Host));
        }
        let path = if self.path == b"*" { "*".to_owned() } else { escape(&self.path, Piece::Path) };
        if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
            out.push('/');
        }
        if out.is_empty() && path.split('/').next().is_some_and(|segment| segment.contains(':')) {
            out.push_str("./");
        }
        out.push_str(&path);
    }
}

/// The scheme, and what follows its colon.
fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn port_is_valid(port: &str) -> bool {
    port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn check_host(host: &str) -> Result<String, String> {
    let port = if host.starts_with('[') {
        let Some(end) = host.rfind(']') else { return Err("missing ']' in host".to_owned()) };
        let address = host[1..end].split('%').next().unwrap_or_default();
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(format!(
                "invalid host: ParseAddr({}): unable to parse IP",
                quote(address.as_bytes())
            ));
        }
        &host[end + 1..]
    } else {
        host.rfind(':').map_or("", |at| &host[at..])
    };
    if !port.is_empty() && !port_is_valid(port) {
        return Err(format!("invalid port {} after host", quote(port.as_bytes())));
    }
    if let Some(bad) = host.chars().find(|c| c.is_ascii() && !host_character(*c) && *c != '%') {
        return Err(format!("invalid character {} in host name", quote(bad.to_string().as_bytes())));
    }
    let bytes = unescape(host)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~".contains(c)
}

fn host_character(c: char) -> bool {
    unreserved(c) || "!$&'()*+,;=:[]<>\"".contains(c)
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            out.push(*first);
            rest = after;
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            let piece = String::from_utf8_lossy(&rest[..rest.len().min(3)]).into_owned();
            return Err(format!("invalid URL escape {}", quote(piece.as_bytes())));
        };
        out.extend(u8::try_from(high * 16 + low));
        rest = &after[2..];
    }
    Ok(out)
}

fn escape(bytes: &[u8], piece: Piece) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        let c = char::from(*byte);
        let kept = c.is_ascii()
            && match piece {
                Piece::User => unreserved(c) || "$&+,;=".contains(c),
                Piece::Host => host_character(c),
                Piece::Path => unreserved(c) || "$&+,/:;=@".contains(c),
                Piece::Fragment => unreserved(c) || "$&+,/:;=?@!()*".contains(c),
            };
        if kept {
            out.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_apart_and_together() {
        let url = Url::parse("HTTP://u%40:p%2F@host:80/a%20b?q=1&r=%20#fr%41g").unwrap();
        assert_eq!((url.scheme.as_str(), url.host.as_str(), url.hostname()), ("http", "host:80", "host"));
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("u@"), Some("p/")));
        assert_eq!((url.path.as_slice(), url.query.as_str()), (&b"/a b"[..], "q=1&r=%20"));
        assert_eq!(url.join(), "http://u%40:p%2F@host:80/a%20b?q=1&r=%20#frAg");
        for text in
            ["mailto:a@b", "host/x", "/x?", "//h/p", "http://[::1]:80/", "a?b", "", "http:///x", "x%3Ay"]
        {
            let again = Url::parse(text).unwrap().join();
            assert_eq!(again, if text == "x%3Ay" { "./x:y" } else { text });
        }
        assert_eq!(Url::parse("http://[fe80::1]:80/").unwrap().hostname(), "fe80::1");
    }

    #[test]
    fn broken_urls_have_gos_words() {
        for (text, words) in [
            ("://", "missing protocol scheme"),
            ("a\nb", "net/url: invalid control character in URL"),
            ("http://h:x/", "invalid port \":x\" after host"),
            ("http://[::1/", "missing ']' in host"),
            ("http://a b/", "invalid character \" \" in host name"),
            ("http://u^@h/", "net/url: invalid userinfo"),
            ("/%zz", "invalid URL escape \"%zz\""),
            ("1a:b", "first path segment in URL cannot contain colon"),
        ] {
            assert_eq!(Url::parse(text).unwrap_err(), words, "{text}");
        }
    }
}
