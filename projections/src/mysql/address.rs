//! Where a MySQL or MariaDB server is, and as whom to log in. It is never shown with its password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use stockledger_log::Secret;

const SCHEME: &str = "mysql://";
const PORT: u16 = 3306;
/// The longest name of a database.
const DATABASE_BYTES_MAX: usize = 64;
/// What stands for itself in a part of an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The address of a database: `mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?ssl-mode=MODE&ssl-ca=PATH&socket=PATH]`.
///
/// User, password and paths may hold any character, written as `%40` where it has a meaning of its own. Neither
/// [`Display`](fmt::Display) nor [`Debug`] shows the password, so what they show logs in nowhere by itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    user: String,
    password: Option<Secret>,
    host: String,
    port: u16,
    database: String,
    ssl_mode: SslMode,
    ssl_ca: Option<PathBuf>,
    socket: Option<PathBuf>,
}

/// Whether the connection is encrypted, and how the server must prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Never encrypted.
    Disabled,
    /// Encrypted if the server offers it; nothing is proved.
    #[default]
    Preferred,
    /// Encrypted; nothing is proved.
    Required,
    /// Encrypted, and the certificate is signed by an authority that is trusted.
    VerifyCa,
    /// As before, and the certificate names the host of the address.
    VerifyIdentity,
}

impl SslMode {
    const ALL: [Self; 5] =
        [Self::Disabled, Self::Preferred, Self::Required, Self::VerifyCa, Self::VerifyIdentity];

    /// The word in an address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Preferred => "preferred",
            Self::Required => "required",
            Self::VerifyCa => "verify-ca",
            Self::VerifyIdentity => "verify-identity",
        }
    }

    const fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyIdentity)
    }
}

/// Why a text is no address. It quotes nothing that may be a part of a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; an address looks like mysql://USER[:PASSWORD]@HOST[:3306]/DATABASE")]
pub struct InvalidAddress {
    problem: String,
}

impl Address {
    /// The same with another password, such as one that stood in a file.
    #[must_use]
    pub fn with_password(self, password: String) -> Self {
        Self { password: Some(Secret::new(password)), ..self }
    }

    /// The same server and account with another database, called as this one with `suffix` behind it.
    ///
    /// # Errors
    /// [`InvalidAddress`] if that is no name of a database.
    pub fn beside(&self, suffix: &str) -> Result<Self, InvalidAddress> {
        let database = format!("{}{suffix}", self.database);
        check_database(&database)?;
        Ok(Self { database, ..self.clone() })
    }

    /// Who logs in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether there is a password, which may be the empty one.
    #[must_use]
    pub const fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Where the server listens, for people: `HOST:PORT`, or the path of its socket.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.socket {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", bracketed(&self.host), self.port),
        }
    }

    /// The password, to be handed on to another process. It is to be shown to nobody.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_ref().map(Secret::reveal)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) const fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }

    pub(super) fn ssl_ca(&self) -> Option<&Path> {
        self.ssl_ca.as_deref()
    }

    pub(super) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| invalid("it does not begin with mysql://"))?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (server, database) = rest.split_once('/').ok_or_else(|| invalid("it names no database"))?;
        let (login, place) = server.rsplit_once('@').ok_or_else(|| invalid("it names no user"))?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(Secret::new(decoded("password", password)?))),
            None => (login, None),
        };
        let user = decoded("user", user)?;
        if user.is_empty() {
            return Err(invalid("it names no user"));
        }
        let options = Options::parse(options)?;
        let (host, port) = host_and_port(place, options.socket.is_some())?;
        let database = decoded("database", database)?;
        check_database(&database)?;
        let Options { ssl_mode, ssl_ca, socket } = options;
        Ok(Self { user, password, host, port, database, ssl_mode, ssl_ca, socket })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = encoded(&self.user);
        write!(formatter, "{SCHEME}{user}@{}:{}/{}", bracketed(&self.host), self.port, self.database)?;
        let mode = (self.ssl_mode != SslMode::default()).then(|| self.ssl_mode.as_str().to_owned());
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| encoded(&path.to_string_lossy()));
        let options = [("ssl-mode", mode), ("ssl-ca", path(&self.ssl_ca)), ("socket", path(&self.socket))];
        let given = options.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (sign, (name, value)) in std::iter::once('?').chain(std::iter::repeat('&')).zip(given) {
            write!(formatter, "{sign}{name}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

/// What stands behind the question mark.
#[derive(Default)]
struct Options {
    ssl_mode: SslMode,
    ssl_ca: Option<PathBuf>,
    socket: Option<PathBuf>,
}

impl Options {
    fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let mut options = Self::default();
        for option in text.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = decoded(name, value)?;
            if value.is_empty() {
                return Err(invalid(format!("the option {name} has no value")));
            }
            match name {
                "ssl-mode" => options.ssl_mode = ssl_mode(&value)?,
                "ssl-ca" => options.ssl_ca = Some(PathBuf::from(value)),
                "socket" => options.socket = Some(PathBuf::from(value)),
                _ => {
                    return Err(invalid(format!(
                        "there is no option {name}, only ssl-mode, ssl-ca and socket"
                    )));
                }
            }
        }
        if options.ssl_ca.is_some() && !options.ssl_mode.verifies() {
            return Err(invalid("ssl-ca proves nothing without ssl-mode=verify-ca or verify-identity"));
        }
        Ok(options)
    }
}

fn ssl_mode(value: &str) -> Result<SslMode, InvalidAddress> {
    SslMode::ALL.into_iter().find(|mode| mode.as_str() == value).ok_or_else(|| {
        let known = SslMode::ALL.map(SslMode::as_str).join(", ");
        invalid(format!("ssl-mode is one of {known}, not {value}"))
    })
}

fn host_and_port(place: &str, has_socket: bool) -> Result<(String, u16), InvalidAddress> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.map(str::parse) {
        None => PORT,
        Some(Ok(port)) if port > 0 => port,
        Some(_) => return Err(invalid("its port is no number from 1 to 65535")),
    };
    match host {
        "" if has_socket => Ok(("localhost".to_owned(), port)),
        "" => Err(invalid("it names no host")),
        host => Ok((host.to_owned(), port)),
    }
}

fn check_database(database: &str) -> Result<(), InvalidAddress> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$');
    match database.len() {
        0 => Err(invalid("it names no database")),
        1..=DATABASE_BYTES_MAX if database.bytes().all(is_plain) => Ok(()),
        _ => Err(invalid("the name of its database is not 1 to 64 characters of A-Z a-z 0-9 _ - $")),
    }
}

fn decoded(what: &str, text: &str) -> Result<String, InvalidAddress> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| invalid(format!("its {what} is no UTF-8")))?;
    Ok(decoded.into_owned())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn invalid(problem: impl Into<String>) -> InvalidAddress {
    InvalidAddress { problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn parsed(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn a_short_address_takes_the_usual_port_and_encrypts_where_it_can() {
        let address = parsed("mysql://ledger@db.example/stock");
        assert_eq!(address.to_string(), "mysql://ledger@db.example:3306/stock");
        assert_eq!((address.user(), address.database()), ("ledger", "stock"));
        assert!(!address.has_password());
        assert_eq!(address.place(), "db.example:3306");
    }

    #[test]
    fn what_is_shown_is_an_address_again() {
        for text in [
            "mysql://ledger@db.example:3306/stock",
            "mysql://a%40b@[::1]:3307/stock-1?ssl-mode=disabled",
            "mysql://a@h:1/d?ssl-mode=verify-ca&ssl-ca=/etc/my%20ca.pem",
            "mysql://a@localhost:3306/d?socket=/run/mysqld/mysqld.sock",
        ] {
            assert_eq!(parsed(text).to_string(), text);
        }
        let by_socket = parsed("mysql://a@/d?socket=/run/mysqld/mysqld.sock");
        assert_eq!(by_socket.place(), "/run/mysqld/mysqld.sock");
    }

    #[test]
    fn no_password_is_ever_shown() {
        let address = parsed("mysql://u:se%3Acr@et@h/d");
        assert_eq!(address.password(), Some("se:cr@et"));
        let other = parsed("mysql://u@h/d").with_password("se:cr@et".to_owned());
        for shown in [address.to_string(), format!("{address:?}"), format!("{other:?}")] {
            assert!(!shown.contains("cr") && !shown.contains("et"), "{shown}");
        }
        assert_eq!(address, other);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("postgres://u@h/d", "does not begin with mysql://"),
            ("mysql://h/d", "names no user"),
            ("mysql://:p@h/d", "names no user"),
            ("mysql://u@h", "names no database"),
            ("mysql://u@h/", "names no database"),
            ("mysql://u@h/a.b", "the name of its database"),
            ("mysql://u@h/a`b", "the name of its database"),
            ("mysql://u@/d", "names no host"),
            ("mysql://u@h:x/d", "its port"),
            ("mysql://u@h:0/d", "its port"),
            ("mysql://u@h:70000/d", "its port"),
            ("mysql://u%ff@h/d", "its user is no UTF-8"),
            (
                "mysql://u@h/d?ssl-mode=on",
                "one of disabled, preferred, required, verify-ca, verify-identity, not on",
            ),
            ("mysql://u@h/d?tls=1", "no option tls"),
            ("mysql://u@h/d?socket=", "the option socket has no value"),
            ("mysql://u@h/d?ssl-ca=/ca.pem", "ssl-ca proves nothing"),
        ];
        for (text, problem) in cases {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(error.ends_with("mysql://USER[:PASSWORD]@HOST[:3306]/DATABASE"), "{error}");
        }
        let error = "mysql://u:secret@h:secret/d".parse::<Address>().unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
