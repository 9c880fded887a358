//! Programs out of Debian packages, unpacked into a directory of their own and run from there.
//!
//! apt works with settings, lists and a cache of its own, and takes the system for empty. So it fetches everything that a
//! program needs, the C library included, and nothing of the machine is changed or used. Such a program runs through
//! the loader that was unpacked with it.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result, ensure};

use super::command::Command;
use super::state::remove_directory;
use super::tools::{is_there, succeed};
use crate::report::say;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Packages of one release of Debian. What they depend on comes with them.
pub(super) struct Packages {
    /// The directory that they are unpacked into, which changes with what is asked for.
    pub(super) directory: &'static str,
    pub(super) suite: &'static str,
    pub(super) names: &'static [&'static str],
}

/// A directory that holds what was unpacked.
pub(super) struct Unpacked {
    root: PathBuf,
}

impl Unpacked {
    /// A program of it, to be run through its own loader.
    pub(super) fn command(&self, program: &str) -> Result<Command> {
        let directories = self.library_directories();
        let loader = directories.iter().find_map(|directory| loader(directory));
        let loader = loader.with_context(|| format!("{} has no loader of programs", self.root.display()))?;
        let libraries: Vec<String> = directories.iter().map(|path| path.display().to_string()).collect();
        let program = self.path(program)?;
        Ok(Command::new(loader).with(["--library-path", &libraries.join(":"), &program]))
    }

    /// A file or directory of it, as text: it becomes part of an argument.
    pub(super) fn path(&self, path: &str) -> Result<String> {
        let path = self.root.join(path);
        path.to_str().map(ToOwned::to_owned).with_context(|| format!("{} is no UTF-8", path.display()))
    }

    fn library_directories(&self) -> Vec<PathBuf> {
        let all = ["lib/TRIPLET", "usr/lib/TRIPLET", "usr/lib/TRIPLET/mysql/private"];
        let triplet = format!("{ARCH}-linux-gnu");
        let paths = all.iter().map(|path| self.root.join(path.replace("TRIPLET", &triplet)));
        paths.filter(|path| path.is_dir()).collect()
    }
}

/// `ld-linux-x86-64.so.2`, `ld-linux-aarch64.so.1`.
fn loader(directory: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(directory).ok()?.filter_map(Result::ok);
    entries
        .find(|entry| entry.file_name().to_string_lossy().starts_with("ld-linux"))
        .map(|entry| entry.path())
}

/// Fetches and unpacks packages, unless that was done before. They are moved to their place when they are complete.
pub(super) fn unpacked(place: &Path, packages: &Packages) -> Result<Unpacked> {
    let root = place.join(packages.directory);
    if root.is_dir() {
        return Ok(Unpacked { root });
    }
    ensure!(
        is_there("apt-get") && is_there("dpkg"),
        "{} comes from Debian packages, and there is no `apt-get` or `dpkg` here: start Docker, or give the address of a \
         server in the environment",
        packages.directory
    );
    let partial = place.join(format!("{}.partial", packages.directory));
    remove_directory(&partial)?;
    let apt = partial.join("apt");
    for directory in ["lists/partial", "cache/archives/partial"] {
        let directory = apt.join(directory);
        fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    }
    say(&format!("fetching {} from Debian {}", packages.names.join(", "), packages.suite));
    fetch(&apt, packages)?;
    say(&format!("unpacking into {}", root.display()));
    unpack(&apt.join("cache/archives"), &partial)?;
    remove_directory(&apt)?;
    fs::rename(&partial, &root).with_context(|| format!("creating {}", root.display()))?;
    Ok(Unpacked { root })
}

fn fetch(apt: &Path, packages: &Packages) -> Result<()> {
    let (sources, status) = (apt.join("debian.sources"), apt.join("status"));
    fs::write(&sources, source(&machine_uri()?, packages.suite))
        .with_context(|| format!("writing {}", sources.display()))?;
    fs::write(&status, "").with_context(|| format!("writing {}", status.display()))?;
    succeed(apt_get(apt).arg("update"))?;
    succeed(apt_get(apt).args(["install", "-y", "--download-only"]).args(packages.names)).map(drop)
}

/// apt-get with nothing in common with the system but its program and its keys.
fn apt_get(apt: &Path) -> process::Command {
    let mut command = process::Command::new("apt-get");
    let options = [
        ("Dir::Etc::sourcelist", apt.join("debian.sources")),
        ("Dir::Etc::sourceparts", PathBuf::from("-")),
        ("Dir::State::lists", apt.join("lists")),
        ("Dir::State::status", apt.join("status")),
        ("Dir::Cache", apt.join("cache")),
    ];
    for (name, path) in options {
        command.arg("-o").arg(format!("{name}={}", path.display()));
    }
    command.args(["-o", "APT::Install-Recommends=false", "-o", "APT::Sandbox::User=root"]);
    command
}

fn unpack(archives: &Path, root: &Path) -> Result<()> {
    let reading = || format!("reading {}", archives.display());
    for entry in fs::read_dir(archives).with_context(reading)? {
        let archive = entry.with_context(reading)?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            succeed(process::Command::new("dpkg").arg("-x").arg(&archive).arg(root))?;
        }
    }
    Ok(())
}

/// What a machine uses as source of Debian is near to it, and reachable.
fn machine_uri() -> Result<String> {
    let files = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    let uri = texts.into_iter().find_map(|text| debian_uri(&text));
    uri.context(
        "this machine has no source of Debian packages: give the server's address in the environment instead",
    )
}

/// The first address of a Debian archive in a list of sources, in the old form or the new one.
fn debian_uri(sources: &str) -> Option<String> {
    let active = sources.lines().filter(|line| line.starts_with("URIs:") || line.starts_with("deb "));
    let mut words = active.flat_map(str::split_whitespace);
    words.find(|word| word.trim_end_matches('/').ends_with("/debian")).map(ToOwned::to_owned)
}

fn source(uri: &str, suite: &str) -> String {
    format!("Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n")
}

#[cfg(test)]
mod tests {
    use super::{ARCH, Unpacked, debian_uri, fs};

    #[test]
    fn the_archive_of_the_machine_is_found() {
        let table = [
            ("Types: deb\nURIs: http://near/debian\nSuites: bookworm\n", Some("http://near/debian")),
            ("# URIs: http://no/debian\nURIs: http://near/debian-security\n", None),
            (
                "# deb http://no/debian x main\ndeb http://near/debian/ bookworm main\n",
                Some("http://near/debian/"),
            ),
            ("deb [signed-by=/k] http://near/debian bookworm main\n", Some("http://near/debian")),
            ("URIs: http://archive.ubuntu.com/ubuntu\n", None),
        ];
        for (sources, uri) in table {
            assert_eq!(debian_uri(sources).as_deref(), uri, "{sources}");
        }
    }

    #[test]
    fn a_program_runs_through_the_loader_that_came_with_it() {
        let root = tempfile::tempdir().unwrap();
        let unpacked = Unpacked { root: root.path().to_owned() };
        assert!(unpacked.command("usr/sbin/server").unwrap_err().to_string().contains("no loader"));

        let libraries = root.path().join(format!("usr/lib/{ARCH}-linux-gnu"));
        fs::create_dir_all(&libraries).unwrap();
        fs::write(libraries.join("ld-linux-test.so.2"), "").unwrap();
        let command = unpacked.command("usr/sbin/server").unwrap();
        assert_eq!(command.program, libraries.join("ld-linux-test.so.2"));
        let program = root.path().join("usr/sbin/server").display().to_string();
        assert_eq!(command.arguments, ["--library-path", &libraries.display().to_string(), &program]);
    }
}
