//! Go's flag syntax, turned into what clap takes.
//!
//! Scripts are written for Go programs: one dash or two, `-name=value` or `-name value`, booleans with a value only
//! behind `=`, and nothing is a flag any more behind the first word that is none
//! (<https://pkg.go.dev/flag#hdr-Command_line_flag_syntax>).

use super::flags::{Flag, Takes};

/// Arguments of one command, sorted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normal {
    /// Flags as `--name=value`; one that nobody knows stays `--name`, for clap to complain about.
    pub flags: Vec<String>,
    /// The first word that is no flag and all behind it.
    pub rest: Vec<String>,
}

/// Sorts arguments by the flags that a command knows.
///
/// # Errors
/// A dash with no name behind it, or a flag without the value it needs; worded as Go words it.
pub fn normalize<'a>(
    args: &[String],
    known: impl Iterator<Item = &'a Flag> + Clone,
) -> Result<Normal, String> {
    let mut normal = Normal::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let Some(name) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')).filter(|_| arg != "-")
        else {
            normal.rest.push(arg.clone());
            break;
        };
        if arg == "--" {
            break;
        }
        if name.is_empty() || name.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {arg}"));
        }
        let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        if matches!(name, "h" | "help") {
            normal.flags.push("--help".to_owned());
            continue;
        }
        let takes = known.clone().find(|flag| flag.name == name).map(|flag| flag.takes);
        normal.flags.push(match (takes, value) {
            (_, Some(value)) => format!("--{name}={value}"),
            (None, None) => format!("--{name}"),
            (Some(Takes::Bool), None) => format!("--{name}=true"),
            (Some(_), None) => match rest.next() {
                Some(value) => format!("--{name}={value}"),
                None => return Err(format!("flag needs an argument: -{name}")),
            },
        });
    }
    normal.rest.extend(rest.cloned());
    Ok(normal)
}

/// The same for commands whose flags may also stand behind words, up to `--`.
///
/// # Errors
/// As [`normalize`].
pub fn normalize_mixed<'a>(
    args: &[String],
    known: impl Iterator<Item = &'a Flag> + Clone,
) -> Result<Normal, String> {
    let (flags, literal) = match args.iter().position(|arg| arg == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &[][..]),
    };
    let mut all = normalize(flags, known.clone())?;
    let mut words = Vec::new();
    while !all.rest.is_empty() {
        words.push(all.rest.remove(0));
        let more = normalize(&all.rest, known.clone())?;
        all.flags.extend(more.flags);
        all.rest = more.rest;
    }
    words.extend_from_slice(literal);
    Ok(Normal { flags: all.flags, rest: words })
}

#[cfg(test)]
mod tests {
    use super::{super::flags, *};

    #[test]
    fn flags_may_stand_behind_words_where_that_is_wanted() {
        let args = ["a", "--config=x", "-", "-exit-after-auth", "b", "--", "-c"].map(str::to_owned);
        let normal = normalize_mixed(&args, flags::AGENT.iter()).unwrap();
        assert_eq!(normal.flags, ["--config=x", "--exit-after-auth=true"]);
        assert_eq!(normal.rest, ["a", "-", "b", "-c"]);
        assert!(normalize_mixed(&["a".to_owned(), "-config".to_owned()], flags::AGENT.iter()).is_err());
    }

    fn sort(args: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let known = flags::AGENT.iter().chain(flags::CLIENT);
        normalize(&args, known).map(|normal| (normal.flags, normal.rest))
    }

    fn flags(args: &[&str]) -> Vec<String> {
        let (flags, rest) = sort(args).unwrap();
        assert!(rest.is_empty(), "{rest:?}");
        flags
    }

    #[test]
    fn dashes_and_ways_to_give_a_value_are_equal() {
        for args in [["-config=a"].as_slice(), &["--config=a"], &["-config", "a"], &["--config", "a"]] {
            assert_eq!(flags(args), ["--config=a"], "{args:?}");
        }
        assert_eq!(flags(&["-config="]), ["--config="]);
        assert_eq!(flags(&["-config", "-config"]), ["--config=-config"], "Go takes whatever comes next");
        assert_eq!(flags(&["-config=a=b"]), ["--config=a=b"]);
    }

    #[test]
    fn a_bool_takes_no_word_behind_it() {
        let sorted = sort(&["-tls-skip-verify", "false", "-config=a"]).unwrap();
        let rest = vec!["false".to_owned(), "-config=a".to_owned()];
        assert_eq!(sorted, (vec!["--tls-skip-verify=true".to_owned()], rest));
        assert_eq!(flags(&["-tls-skip-verify=0"]), ["--tls-skip-verify=0"]);
    }

    #[test]
    fn flags_end_at_the_first_other_word() {
        assert_eq!(sort(&["-", "-config=a"]).unwrap().1, ["-", "-config=a"]);
        assert_eq!(sort(&["-config=a", "--", "-x"]).unwrap().1, ["-x"]);
        assert_eq!(sort(&["generate-config", "x"]).unwrap().1, ["generate-config", "x"]);
    }

    #[test]
    fn what_is_no_flag_syntax_is_refused_in_gos_words() {
        assert_eq!(sort(&["---config=a"]).unwrap_err(), "bad flag syntax: ---config=a");
        assert_eq!(sort(&["-=a"]).unwrap_err(), "bad flag syntax: -=a");
        assert_eq!(sort(&["-config"]).unwrap_err(), "flag needs an argument: -config");
    }

    #[test]
    fn help_has_three_spellings_and_strangers_pass() {
        assert_eq!(flags(&["-h", "-help", "--help", "-cnfig"]), ["--help", "--help", "--help", "--cnfig"]);
    }
}
