//! Stanza `vault`.

use super::{
    block::{Block, Context},
    schema,
};
use crate::config::raw::RawVault;

pub(super) fn read(cx: &mut Context<'_>, top: &Block<'_>) -> RawVault {
    let Some(vault) = top.only(cx, "vault", &schema::VAULT) else { return RawVault::default() };
    vault.check_keys(cx);
    let retry = vault.only(cx, "retry", &schema::RETRY);
    if let Some(retry) = &retry {
        retry.check_keys(cx);
    }
    RawVault {
        stanza: Some(cx.origin(vault.pos)),
        address: vault.text(cx, "address"),
        namespace: vault.text(cx, "namespace"),
        ca_cert: vault.text(cx, "ca_cert"),
        ca_path: vault.text(cx, "ca_path"),
        client_cert: vault.text(cx, "client_cert"),
        client_key: vault.text(cx, "client_key"),
        tls_server_name: vault.text(cx, "tls_server_name"),
        tls_skip_verify: vault.bool(cx, "tls_skip_verify"),
        num_retries: retry.and_then(|retry| retry.int(cx, "num_retries")),
        ..RawVault::default()
    }
}
