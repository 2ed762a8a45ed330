//! The floor: the least work that yields the same files. One login, one GET for each secret, one temporary file and
//! one rename each.

use std::{fs, io, net::SocketAddr, path::Path, process::ExitCode};

use serde_json::{Value, json};

use crate::{server, wire::Wire};

/// The word that makes this program the floor.
pub(crate) const COMMAND: &str = "floor";

/// `ADDRESS ROLE-ID-FILE SECRET-ID-FILE FOLDER TEMPLATES CONNECTIONS`.
pub(crate) fn run(args: &[&str]) -> ExitCode {
    let [address, role_id, secret_id, folder, templates, connections] = args else {
        return ExitCode::FAILURE;
    };
    let (Ok(address), Ok(templates), Ok(connections)) =
        (address.parse(), templates.parse(), connections.parse())
    else {
        return ExitCode::FAILURE;
    };
    match work(address, [role_id, secret_id], Path::new(folder), (templates, connections)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("floor: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn work(
    address: SocketAddr,
    [role_id, secret_id]: [&str; 2],
    folder: &Path,
    (templates, connections): (usize, usize),
) -> io::Result<()> {
    let ids = json!({ "role_id": fs::read_to_string(role_id)?, "secret_id": fs::read_to_string(secret_id)? });
    let login = Wire::connect(address, "")?.post("/v1/auth/approle/login", &ids)?;
    let token = login["auth"]["client_token"].as_str().unwrap_or_default();
    let share = |first: usize| -> io::Result<()> {
        let mut wire = Wire::connect(address, token)?;
        (first..templates).step_by(connections).try_for_each(|index| one(&mut wire, folder, index))
    };
    let others = connections.min(templates);
    if others == 1 {
        return share(0);
    }
    std::thread::scope(|scope| {
        let share = &share;
        let threads: Vec<_> = (0..others).map(|first| scope.spawn(move || share(first))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("it doesn't panic"))
    })
}

fn one(wire: &mut Wire, folder: &Path, index: usize) -> io::Result<()> {
    let answer: Value = wire.get(&format!("/v1/{}", server::path(index)))?;
    let data = &answer["data"]["data"];
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let temporary = folder.join(format!(".floor-{index}"));
    fs::write(&temporary, format!("{}:{}", text("user"), text("password")))?;
    fs::rename(&temporary, folder.join(server::file(index)))
}
