//! Why a connection could not be made, in words that tell what to do about it.

use super::address::{Address, SslMode};
use super::failure::{Described, number};
use crate::store::Error;

const ACCESS_DENIED_TO_DATABASE: u16 = 1044;
const ACCESS_DENIED: u16 = 1045;
const UNKNOWN_DATABASE: u16 = 1049;
const HOST_BLOCKED: u16 = 1129;
const HOST_NOT_ALLOWED: u16 = 1130;
const PLUGIN_NOT_SUPPORTED: u16 = 1251;
/// MariaDB's word for an account that logs in by the socket only.
const ACCESS_DENIED_NO_PASSWORD: u16 = 1698;
const TLS_REQUIRED: u16 = 3159;
/// MySQL's and MariaDB's word for an account that is locked.
const LOCKED: [u16; 2] = [3118, 4151];
/// MySQL's word for a password that must be changed first.
const PASSWORD_EXPIRED: [u16; 2] = [1820, 1862];

/// Makes the database, in a statement that an operator may copy.
pub(super) fn create_database_statement(address: &Address) -> String {
    format!(
        "CREATE DATABASE IF NOT EXISTS `{}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        address.database()
    )
}

/// The error of the store for a connection that could not be made.
pub(super) fn failed(address: &Address, operation: &'static str, error: sqlx::Error) -> Error {
    match advice(address, &error) {
        Some(advice) => Error::Refused { operation, advice, source: Box::new(error) },
        None => {
            let what = format!("no connection to the server at {}", address.place());
            Error::Unavailable { operation, source: Box::new(Described { what, source: Some(error) }) }
        }
    }
}

/// What to do about it; nothing where trying again may help.
fn advice(address: &Address, error: &sqlx::Error) -> Option<String> {
    if let Some(missing) = address.ssl_ca().filter(|path| !path.is_file()) {
        return Some(format!("ssl-ca names {}, which is no file that can be read", missing.display()));
    }
    match error {
        sqlx::Error::Database(_) => advice_of_number(address, number(error)?),
        sqlx::Error::Tls(_) => Some(advice_about_tls(address)),
        // So comes a certificate that was not accepted.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Some(advice_about_tls(address))
        }
        // All that a login without TLS lacks: a way to hide the password on its way.
        sqlx::Error::Configuration(_) => Some(format!(
            "the login plug-in of {} sends the password over TLS only, and this connection has none: use \
             ssl-mode=required, and let the server offer TLS",
            address.user()
        )),
        sqlx::Error::Protocol(what) if what.contains("plugin") => Some(format!(
            "the login plug-in of {} is not supported: use caching_sha2_password or mysql_native_password",
            address.user()
        )),
        _ => None,
    }
}

fn advice_of_number(address: &Address, number: u16) -> Option<String> {
    let (user, database, place) = (address.user(), address.database(), address.place());
    match number {
        ACCESS_DENIED | ACCESS_DENIED_NO_PASSWORD => {
            let password = if address.has_password() { "with this password" } else { "without a password" };
            let tls = if has_no_tls(address) {
                "; over a connection without TLS this may also mean that its login plug-in needs TLS"
            } else {
                ""
            };
            Some(format!("the server at {place} does not let {user} in {password}{tls}"))
        }
        ACCESS_DENIED_TO_DATABASE => Some(format!(
            "{user} has no rights on database {database}, or it does not exist: an administrator runs {}; and grants \
             what docs/mysql.md lists",
            create_database_statement(address)
        )),
        UNKNOWN_DATABASE => Some(format!(
            "database {database} does not exist: run `stockledger init`, or {}",
            create_database_statement(address)
        )),
        HOST_BLOCKED | HOST_NOT_ALLOWED => {
            Some(format!("the server at {place} does not let this host in: see the account's host part"))
        }
        PLUGIN_NOT_SUPPORTED => Some(format!("the login plug-in of {user} is not supported")),
        TLS_REQUIRED => Some(format!("the server at {place} takes only TLS: use ssl-mode=required")),
        number if LOCKED.contains(&number) => Some(format!("the account {user} is locked")),
        number if PASSWORD_EXPIRED.contains(&number) => Some(format!("the password of {user} has expired")),
        _ => None,
    }
}

fn advice_about_tls(address: &Address) -> String {
    match address.ssl_mode() {
        SslMode::VerifyCa | SslMode::VerifyIdentity => format!(
            "TLS with the server at {} failed: ssl-ca must name the authority that signed its certificate, and \
             verify-identity needs its host name in it",
            address.place()
        ),
        _ => format!(
            "TLS with the server at {} failed; with ssl-mode=preferred it is used only where it is offered",
            address.place()
        ),
    }
}

/// Whether the password certainly travels without TLS.
fn has_no_tls(address: &Address) -> bool {
    address.ssl_mode() == SslMode::Disabled || address.socket().is_some()
}
