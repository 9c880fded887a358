//! MySQL and MariaDB: how their data is made, and how they are run.
//!
//! Both run with their defaults for durability, so that tests and measurements see what users will. The account of the
//! tests may do everything, since tests make databases and accounts of their own.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Kind;
use super::command::Command;
use super::container::Container;
use super::debian::{Packages, Unpacked, unpacked};
use super::kind::Product;
use super::member::Member;
use super::ports::Ports;
use super::process::Process;
use super::state::{Places, Service};
use super::tools::{is_root, succeed};

const MYSQL: Packages = Packages { directory: "mysql-9", suite: "sid", names: &["mysql-server-core"] };
const MARIADB: Packages =
    Packages { directory: "mariadb-10.11", suite: "bookworm", names: &["mariadb-server-core"] };

/// Runs at every start. The server listens on the loopback address only, hence a password that everybody may know.
const ACCOUNT: &str = "\
CREATE DATABASE IF NOT EXISTS stockledger;
CREATE USER IF NOT EXISTS 'stockledger'@'%' IDENTIFIED BY 'stockledger';
GRANT ALL ON *.* TO 'stockledger'@'%' WITH GRANT OPTION;
";
/// What comes before MariaDB's own scripts: they make an empty server with a root account that has no password.
const MARIADB_BOOTSTRAP: &str = "\
CREATE DATABASE IF NOT EXISTS mysql;
USE mysql;
SET @auth_root_socket=NULL;
";
const MARIADB_SCRIPTS: [&str; 4] = [
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
];
const PORT_IN_CONTAINER: u16 = 3306;

/// A server from packages, with new data.
pub(super) fn process(kind: Kind, places: &Places, ports: &mut Ports) -> Result<Service> {
    let product = kind.product();
    let packages = if product == Product::Mariadb { &MARIADB } else { &MYSQL };
    let unpacked = unpacked(&places.packages(), packages)?;
    let directory = places.data(kind);
    fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    let server = server(product, &unpacked, &directory)?;
    match product {
        Product::Mariadb => initialize_mariadb(&server, &unpacked, &directory)?,
        _ => succeed(&mut server.clone().with(["--initialize-insecure"]).to_process()).map(drop)?,
    }
    let account = write_account(&directory)?;
    let port = ports.take()?;
    let command = server.with(settings(product, port)).with([format!("--init-file={account}")]);
    let process = Process::new(command, directory.join("server.log"));
    Ok(Service::new(kind, address(port), vec![Member::Process(process)]))
}

/// A server in a container.
pub(super) fn container(kind: Kind, places: &Places, ports: &mut Ports) -> Result<Service> {
    let directory = places.data(kind);
    fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    let account = write_account(&directory)?;
    let port = ports.take()?;
    let arguments = container_arguments(kind.product(), port, &account);
    let container = Container::new(format!("stockledger-{kind}-{port}"), arguments);
    Ok(Service::new(kind, address(port), vec![Member::Container(container)]))
}

/// The server with what it needs for every purpose. `--no-defaults` must come first.
fn server(product: Product, unpacked: &Unpacked, directory: &Path) -> Result<Command> {
    let program = if product == Product::Mariadb { "usr/sbin/mariadbd" } else { "usr/sbin/mysqld" };
    let user: &[&str] = if is_root() { &["--user=root"] } else { &[] };
    Ok(unpacked.command(program)?.with(["--no-defaults"]).with(user.iter().copied()).with([
        format!("--datadir={}", directory.join("data").display()),
        format!("--basedir={}", unpacked.path("usr")?),
        format!("--lc-messages-dir={}", unpacked.path("usr/share/mysql")?),
    ]))
}

/// Without a socket of the file system: MySQL leaves a lock beside it, and after a kill refuses to start while the system
/// still knows the id of the process in that lock. The file with the process id lies in the data directory.
fn settings(product: Product, port: u16) -> Vec<String> {
    let mut settings = vec![
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--socket=".to_owned(),
        "--pid-file=server.pid".to_owned(),
    ];
    if product == Product::Mysql {
        // Without the second, MySQL wants a directory that the package would have made.
        settings.extend(["--mysqlx=OFF".to_owned(), "--secure-file-priv=".to_owned()]);
    }
    settings
}

fn initialize_mariadb(server: &Command, unpacked: &Unpacked, directory: &Path) -> Result<()> {
    let data = directory.join("data");
    fs::create_dir_all(&data).with_context(|| format!("creating {}", data.display()))?;
    let mut bootstrap = MARIADB_BOOTSTRAP.to_owned();
    for name in MARIADB_SCRIPTS {
        let script = unpacked.path(&format!("usr/share/mysql/{name}"))?;
        bootstrap += &fs::read_to_string(&script).with_context(|| format!("reading {script}"))?;
    }
    let path = directory.join("bootstrap.sql");
    fs::write(&path, bootstrap).with_context(|| format!("writing {}", path.display()))?;
    let input = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
    succeed(server.clone().with(["--bootstrap"]).to_process().stdin(input)).map(drop)
}

fn write_account(directory: &Path) -> Result<String> {
    let path = directory.join("account.sql");
    fs::write(&path, ACCOUNT).with_context(|| format!("writing {}", path.display()))?;
    path.to_str().map(ToOwned::to_owned).with_context(|| format!("{} is no UTF-8", path.display()))
}

fn address(port: u16) -> String {
    format!("mysql://stockledger:stockledger@127.0.0.1:{port}/stockledger")
}

/// The images run the scripts of a directory when they make their data.
fn container_arguments(product: Product, port: u16, account: &str) -> Vec<String> {
    let no_password = match product {
        Product::Mariadb => "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=yes",
        _ => "MYSQL_ALLOW_EMPTY_PASSWORD=yes",
    };
    [
        "--publish",
        &format!("127.0.0.1:{port}:{PORT_IN_CONTAINER}"),
        "--volume",
        &format!("{account}:/docker-entrypoint-initdb.d/account.sql:ro"),
        "--env",
        no_password,
        product.image(),
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::{Product, container_arguments, settings};

    #[test]
    fn a_server_listens_on_the_loopback_address_only() {
        for product in [Product::Mysql, Product::Mariadb] {
            assert!(
                settings(product, 20_000)
                    .starts_with(&["--port=20000".into(), "--bind-address=127.0.0.1".into()])
            );
            let container = container_arguments(product, 20_000, "/account.sql");
            assert!(container.contains(&"127.0.0.1:20000:3306".to_owned()));
            assert_eq!(container.last().unwrap(), product.image());
        }
    }

    #[test]
    fn only_mysql_is_told_what_only_mysql_knows() {
        let of_mysql = |product| settings(product, 1).iter().any(|setting| setting.starts_with("--mysqlx"));
        assert!(of_mysql(Product::Mysql) && !of_mysql(Product::Mariadb));
    }
}
