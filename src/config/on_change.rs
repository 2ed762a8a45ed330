//! Actions without a shell as one line of text each, the same in configurations and annotations.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::template::{ActionSpec, HttpAction, Receiver};
use crate::http::local::{LocalUrl, LocalUrlError, Method};

/// Time for a request when none is said.
pub(super) const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

/// `HUP nginx` or `HUP /run/nginx.pid`.
///
/// # Errors
/// What would have been right.
pub(super) fn signal(text: &str) -> Result<ActionSpec, String> {
    const EXPECTED: &str =
        "a signal and a process name or pid file, for instance \"HUP nginx\" or \"USR1 /run/app.pid\"";
    let (signal, to) = text.trim().split_once(char::is_whitespace).ok_or(EXPECTED)?;
    let (signal, to) = (signal_named(signal).ok_or(EXPECTED)?, to.trim());
    let to = match to {
        _ if to.starts_with('/') => Receiver::PidFile(to.into()),
        _ if to.contains('/') => {
            return Err("a pid file with its whole path, or a process name without `/`".to_owned());
        }
        _ => Receiver::Name(to.to_owned()),
    };
    Ok(ActionSpec::Signal { signal, to })
}

/// `HUP`, `SIGHUP` in any case, or the number.
fn signal_named(text: &str) -> Option<Signal> {
    if let Ok(number) = text.parse::<i32>() {
        return Signal::try_from(number).ok();
    }
    let name = text.to_ascii_uppercase();
    let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    name.parse().ok()
}

/// `POST http://127.0.0.1:9090/-/reload`; without a method it is `POST`.
///
/// # Errors
/// What would have been right.
pub(super) fn http(text: &str) -> Result<HttpAction, String> {
    let text = text.trim();
    let (method, address) = match text.split_once(char::is_whitespace) {
        Some((method, address)) => (self::method(method)?, address),
        None => (Method::default(), text),
    };
    let url = url(address)?;
    Ok(HttpAction { method, url, headers: Vec::new(), body: String::new(), timeout: HTTP_TIMEOUT })
}

pub(super) fn method(text: &str) -> Result<Method, String> {
    text.parse().map_err(|()| "POST, PUT or GET".to_owned())
}

pub(super) fn url(text: &str) -> Result<LocalUrl, String> {
    LocalUrl::parse(text).map_err(|error| {
        let expected =
            "an address on this machine, for instance http://127.0.0.1:9090/-/reload or unix:///run/app.sock:/reload";
        match error {
            LocalUrlError::Address(_) => expected.to_owned(),
            other => format!("{expected} ({other})"),
        }
    })
}

/// `/vault/secrets/.generation`.
///
/// # Errors
/// What would have been right.
pub(super) fn touch(text: &str) -> Result<ActionSpec, String> {
    if text.starts_with('/') && !text.ends_with('/') {
        return Ok(ActionSpec::Touch { path: text.into() });
    }
    Err("the whole path of a file, for instance /vault/secrets/.generation".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_named_as_people_name_them() {
        let hup = |to| ActionSpec::Signal { signal: Signal::SIGHUP, to };
        for text in ["HUP nginx", "SIGHUP nginx", "hup  nginx ", "1 nginx"] {
            assert_eq!(signal(text).unwrap(), hup(Receiver::Name("nginx".into())), "{text}");
        }
        assert_eq!(signal("HUP /run/a.pid").unwrap(), hup(Receiver::PidFile("/run/a.pid".into())));
        for text in ["HUP", "", "WINK nginx", "99 nginx", "nginx HUP", "HUP ./nginx.pid", "0 nginx"] {
            assert!(signal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn requests_go_to_this_machine_only() {
        let action = http("http://127.0.0.1:9090/-/reload").unwrap();
        assert_eq!((action.method, action.timeout), (Method::Post, HTTP_TIMEOUT));
        assert_eq!(http("put unix:///run/a.sock:/x").unwrap().method, Method::Put);
        assert!(http("http://10.0.0.1/").unwrap_err().contains("(`10.0.0.1` is not this machine)"));
        for text in ["", "DELETE http://127.0.0.1/", "POST", "127.0.0.1:80/x"] {
            assert!(http(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_generation_file_has_a_whole_path() {
        assert_eq!(touch("/a/.gen").unwrap(), ActionSpec::Touch { path: "/a/.gen".into() });
        for text in ["", "gen", "/a/"] {
            assert!(touch(text).is_err(), "{text}");
        }
    }
}
