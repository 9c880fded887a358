//! TLS of the HTTP interface: what is spoken, whom the client believes, and which files are refused.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use serde_json::Value;
use stockledger::client::Client;
use stockledger::tls::{Trust, client_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_rustls::TlsConnector;

use crate::run::{complaint, data, program, refused, run, text, until};

/// A certificate for `localhost`, the authority that vouches for it, and its key.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    authority: PathBuf,
}

/// Makes an authority and has it vouch for a server.
pub(crate) fn issue(directory: &Path, name: &str) -> Files {
    let mut of_authority = rcgen::CertificateParams::new([]).unwrap();
    of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertifiedIssuer::self_signed(of_authority, authority_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let of_server = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = of_server.signed_by(&key, &authority).unwrap();
    let path = |what: &str| directory.join(format!("{name}-{what}.pem"));
    let files = Files { certificate: path("cert"), key: path("key"), authority: path("ca") };
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.authority, authority.as_ref().pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    set_mode(&files.key, 0o600);
    files
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn client(url: &str, trust: &Trust) -> Client {
    Client::trusting(url, trust).unwrap()
}

#[tokio::test]
async fn a_server_with_a_certificate_is_believed_by_those_who_should() {
    let directory = tempfile::tempdir().unwrap();
    let (files, other) = (issue(directory.path(), "one"), issue(directory.path(), "two"));
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let tls = ["--tls-cert", text(&files.certificate), "--tls-key", text(&files.key)];
    let data = directory.path().join("data");
    let serve = [&["serve", "--listen", &listen, "--data-dir", text(&data)], &tls[..]].concat();
    let mut server = program(&serve).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let url = format!("https://localhost:{port}");
    let believing = client(&url, &Trust::Authorities(files.authority.clone()));
    until(async || believing.get_json::<Value>("/readyz").await.is_ok()).await;

    // Another authority, or none that knows it, vouches for nothing; nor does the right one for another name.
    for (url, trust) in [
        (url.as_str(), Trust::Authorities(other.authority.clone())),
        (url.as_str(), Trust::Exactly(other.certificate.clone())),
        (&format!("https://127.0.0.1:{port}"), Trust::Authorities(files.authority.clone())),
    ] {
        let error = client(url, &trust).get_json::<Value>("/readyz").await.unwrap_err();
        assert!(error.is_unreachable(), "{trust:?}: {error}");
    }
    // Who does not speak TLS gets nothing.
    let mut plain = TcpStream::connect(&listen).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer).await);
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));

    // The commands: by name and authority, and the one beside the server by its certificate.
    let ca = ["--ca-file", text(&files.authority)];
    let asked = run(&[&["health", "--server", &url], &ca[..]].concat()).await;
    assert!(asked.status.success(), "{}", complaint(&asked));
    let beside = run(&[&["health", "--listen", &listen], &tls[..]].concat()).await;
    assert!(beside.status.success(), "{}", complaint(&beside));
    let doubting = run(&["health", "--server", &url, "--ca-file", text(&other.authority)]).await;
    assert_eq!(doubting.status.code(), Some(4), "{}", complaint(&doubting));

    // A certificate that was renewed is shown after SIGHUP; one that cannot be used is not taken.
    let pid = server.id().unwrap().to_string();
    std::fs::copy(&other.certificate, &files.certificate).unwrap();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().await.unwrap().success());
    believing.get_json::<Value>("/readyz").await.unwrap();
    std::fs::copy(&other.key, &files.key).unwrap();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().await.unwrap().success());
    until(async || {
        let fresh = client(&url, &Trust::Authorities(other.authority.clone()));
        fresh.get_json::<Value>("/readyz").await.is_ok()
    })
    .await;
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert!(server.wait().await.unwrap().success());
}

/// What a browser is answered that signs in over TLS, as it comes.
async fn sign_in(port: u16, trust: &Trust, token: &str) -> String {
    let config = Arc::new(client_config(trust).unwrap());
    let plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream =
        TlsConnector::from(config).connect("localhost".try_into().unwrap(), plain).await.expect("believed");
    let body = format!("token={token}");
    let request = format!(
        "POST /ui/sign-in HTTP/1.1\r\nhost: localhost:{port}\r\norigin: https://localhost:{port}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_session_over_tls_is_never_sent_without_it() {
    let directory = tempfile::tempdir().unwrap();
    let files = issue(directory.path(), "one");
    let ledger = directory.path().join("data");
    let create = ["keys", "create", "--name", "boss", "--scope", "admin", "--data-dir", text(&ledger)];
    let token = data(&create).await;
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let tls = ["--tls-cert", text(&files.certificate), "--tls-key", text(&files.key)];
    let serve = [&["serve", "--listen", &listen, "--data-dir", text(&ledger)], &tls[..]].concat();
    let mut server = program(&serve).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let trust = Trust::Authorities(files.authority.clone());
    let believing = client(&format!("https://localhost:{port}"), &trust);
    until(async || believing.get_json::<Value>("/readyz").await.is_ok()).await;
    let answer = sign_in(port, &trust, token.trim()).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let cookie = answer.lines().find(|line| line.starts_with("set-cookie: ")).expect("a cookie");
    assert!(cookie.starts_with("set-cookie: __Host-stockledger_session="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    server.kill().await.unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_used_are_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let (files, other) = (issue(path, "one"), issue(path, "two"));
    let exposed = path.join("exposed.pem");
    std::fs::copy(&files.key, &exposed).unwrap();
    set_mode(&exposed, 0o644);
    let (none, letter) = (path.join("none.pem"), path.join("letter.pem"));
    std::fs::write(&letter, "dear mother").unwrap();
    set_mode(&letter, 0o600);
    let (certificate, key) = (text(&files.certificate), text(&files.key));
    let cases: [(&[&str], &str); 8] = [
        (&["--tls-cert", certificate, "--tls-key", text(&exposed)], "everybody on this machine can read"),
        (&["--tls-cert", certificate, "--tls-key", text(&other.key)], "does not go with the certificate"),
        (&["--tls-cert", certificate, "--tls-key", text(&none)], "reading the private key"),
        (&["--tls-cert", text(&none), "--tls-key", key], "reading the certificate"),
        (&["--tls-cert", text(&letter), "--tls-key", key], "holds no certificate"),
        (&["--tls-cert", certificate, "--tls-key", text(&letter)], "holds no private key"),
        (&["--tls-cert", certificate], "tls_cert is set and tls_key is not"),
        (&["--tls-key", key], "tls_key is set and tls_cert is not"),
    ];
    let data = path.join("data");
    for (settings, reason) in cases {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", text(&data)];
        let said = refused(&[&serve, settings].concat(), &["tls-unusable"]).await;
        assert!(said.contains(reason), "{settings:?}: {said}");
    }
    assert!(!data.exists(), "nothing was made before the files were looked at");
}
