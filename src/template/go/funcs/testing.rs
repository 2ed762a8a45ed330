//! Calls functions of the table in unit tests, without an engine around them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Args, FuncError, find};
use crate::{
    process::interfaces::Address,
    secrets::request::SecretRequest,
    template::{
        go::{ctx::Ctx, value::Value},
        host::{Host, Program, ProgramFault},
    },
    vault::{secret::Secret, value::Text},
};

/// A world in which nothing is there, time stands at 2020-02-03 04:05:06 UTC, and random bytes count up.
pub(super) struct Nothing(u8);

impl Host for Nothing {
    fn secret(&mut self, _: &SecretRequest) -> Option<Arc<Secret>> {
        None
    }

    fn file(&mut self, _: &str) -> Result<Text, String> {
        Err("no file".to_owned())
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_580_702_706)
    }

    fn random(&mut self, buffer: &mut [u8]) -> Result<(), String> {
        for byte in buffer {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }

    fn interfaces(&self) -> Vec<Address> {
        Vec::new()
    }

    fn plugin(&mut self, _: &Program) -> Option<Result<Text, ProgramFault>> {
        None
    }
}

/// That world.
pub(super) fn nothing() -> Nothing {
    Nothing(1)
}

/// Calls a function as the evaluator would, without its checks of types.
pub(super) fn call(name: &str, args: Vec<Value>) -> Result<Value, FuncError> {
    let func = find(name).unwrap_or_else(|| panic!("no function {name}"));
    (func.run)(&mut Ctx::new(&mut nothing()), Args::new(args))
}

/// The text that a function returns.
pub(super) fn text(name: &str, args: Vec<Value>) -> String {
    match call(name, args).unwrap_or_else(|error| panic!("{name}: {}", error.go_text())) {
        Value::String(text) => String::from_utf8(text.as_bytes().to_vec()).expect("not UTF-8"),
        other => panic!("{name} returned {}", other.type_name()),
    }
}

/// The words with which a function fails.
pub(super) fn fails(name: &str, args: Vec<Value>) -> String {
    match call(name, args) {
        Ok(value) => panic!("{name} returned {}", value.type_name()),
        Err(error) => error.go_text().to_owned(),
    }
}
