//! Functions that ask the host: secrets, certificates, files, environment.

use serde_json::Value as Json;

use super::{
    border::to_json,
    call::{Args, Def, MANY, Outcome, plain, text_json},
    pass::{Pass, Refusal},
};
use crate::{
    secrets::request::{SecretRequest, Verb},
    template::{
        answer,
        go::{
            fault::Cause,
            funcs::{self, is_inside},
            value::Value as GoValue,
        },
    },
    vault::{
        path::{Params, VaultPath},
        secret::Secret,
        value::Value,
    },
};

pub(super) const FUNCS: &[Def] = &[
    Def::new("secret", "\"PATH\"", (1, MANY), |pass, args| {
        read(pass, args, |secret| answer::data(secret).cloned().unwrap_or(Value::Null))
    })
    .options(&["*"]),
    Def::new("response", "\"PATH\"", (1, MANY), |pass, args| read(pass, args, answer::whole)).options(&["*"]),
    Def::new("secrets", "\"PATH\"", (1, 1), |pass, args| {
        let (path, params) = VaultPath::parse(&args.text(0)?)
            .map_err(|error| Refusal::function(format!("vault.list: {error}")).at("secrets"))?;
        answered(pass, request(pass, Verb::List, path, params), answer::names)
    }),
    Def::new("pkiCert", "\"PATH\" common_name=\"NAME\"", (1, MANY), |pass, args| {
        let fields = call(args)?;
        let (fields, path, params) = funcs::issue_request(&fields)?;
        answered(pass, request(pass, Verb::Issue(fields), path, params), answer::certificate)
    })
    .options(&["*"]),
    Def::new("env", "\"NAME\"", (1, 1), |pass, args| {
        let name = args.text(0)?;
        pass.with_host(|host| host.env(&name)).map_or(Ok(None), |value| text_json(&value))
    }),
    Def::new("file", "\"PATH\"", (1, 1), file),
];

/// The path and the `k=v` pairs of a call as the Go dialect takes them, options among them.
fn call(args: &Args<'_, '_>) -> Result<funcs::Args, Refusal> {
    let mut texts = Vec::new();
    for at in 0..args.len() {
        texts.push(args.text(at)?);
    }
    for (name, value) in args.options() {
        let Some(value) = plain(value) else {
            let what = format!("the option {name} is neither a text nor a number");
            return Err(Refusal::new(Cause::WrongType, what).at(name));
        };
        texts.push(format!("{name}={value}"));
    }
    Ok(funcs::Args::new(texts.into_iter().map(GoValue::text).collect()))
}

fn request(pass: &Pass<'_>, verb: Verb, path: VaultPath, params: Params) -> SecretRequest {
    let identity = pass.identity();
    SecretRequest { auth: identity.auth.clone(), namespace: identity.namespace.clone(), verb, path, params }
}

fn read(pass: &Pass<'_>, args: &Args<'_, '_>, show: fn(&Secret) -> Value) -> Outcome {
    let (verb, path, params) = funcs::secret_request(&call(args)?)?;
    answered(pass, request(pass, verb, path, params), show)
}

/// What an answer is to the template; null while there is none.
fn answered(pass: &Pass<'_>, request: SecretRequest, show: fn(&Secret) -> Value) -> Outcome {
    Ok(Some(pass.ask(request)?.map_or(Json::Null, |secret| to_json(&show(&secret)))))
}

fn file(pass: &Pass<'_>, args: &Args<'_, '_>) -> Outcome {
    let path = args.text(0)?;
    let path = path.trim();
    if let Some(sandbox) = pass.sandbox()
        && !is_inside(path, sandbox)
    {
        return Err(Refusal::function(format!("'{path}' is outside of sandbox")).at("file"));
    }
    let contents = pass.with_host(|host| host.file(path)).map_err(|why| Refusal::function(why).at("file"))?;
    let Some(text) = contents.as_str() else {
        let what = format!("file {path:?} is not UTF-8 text");
        return Err(Refusal::function(what)
            .at("file")
            .hint("Handlebars has no binary data: use the Go dialect"));
    };
    text_json(text)
}
