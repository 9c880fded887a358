//! What was started, kept in `target/services/state.json` so that a later task finds it. One task at a time has it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Kind;
use super::member::Member;
use crate::guard;
use crate::report::say;

/// The servers behind one address.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Service {
    pub(super) kind: Kind,
    /// In the form of the variable of its kind: `host:port,...` or a database URL.
    pub(super) address: String,
    pub(super) members: Vec<Member>,
    /// The detour of each member, if they have any.
    #[serde(default)]
    pub(super) detours: Vec<Detour>,
    /// The mark of the run that started it and stops it again, if it was started by one.
    #[serde(default)]
    pub(super) run: Option<String>,
}

impl Service {
    /// A service that was not started yet.
    pub(super) fn new(kind: Kind, address: String, members: Vec<Member>) -> Self {
        Self { kind, address, members, detours: vec![], run: guard::mark() }
    }
}

/// A second way to a broker, for whoever wants to stand in between: a client that comes by a detour is told to go on by
/// detours only. At the one port the broker listens. The other is the one that it names to clients; there nobody
/// listens, unless somebody forwards from there to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Detour {
    pub(crate) listening_port: u16,
    pub(crate) named_port: u16,
}

/// Where things lie.
#[derive(Debug, Clone)]
pub(super) struct Places {
    base: PathBuf,
}

impl Places {
    /// Those of a workspace.
    pub(super) fn of(root: &Path) -> Self {
        Self { base: root.join("target").join("services") }
    }

    /// Unpacked packages, which survive `down`.
    pub(super) fn packages(&self) -> PathBuf {
        self.base.join("packages")
    }

    /// Data, settings and logs of a service, which do not.
    pub(super) fn data(&self, kind: Kind) -> PathBuf {
        self.base.join("data").join(kind.name())
    }

    /// Makes the directory of the data of a service and everything in it go away.
    pub(super) fn clear(&self, kind: Kind) -> Result<()> {
        remove_directory(&self.data(kind))
    }
}

/// All services that were started and not stopped. Every change is on disk before the method returns.
pub(super) struct State {
    places: Places,
    services: Vec<Service>,
    /// Held until the state is dropped.
    _lock: File,
}

impl State {
    /// Reads the state as soon as no other task has it.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let places = Places::of(root);
        let base = &places.base;
        fs::create_dir_all(base).with_context(|| format!("creating {}", base.display()))?;
        let lock = lock(&base.join("lock"))?;
        let services = read(&base.join("state.json"))?;
        Ok(Self { places, services, _lock: lock })
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn find(&self, kind: Kind) -> Option<&Service> {
        self.services.iter().find(|service| service.kind == kind)
    }

    /// What a run started and did not stop yet.
    pub(super) fn of_run(&self, mark: &str) -> Vec<Kind> {
        let of_run = self.services.iter().filter(|service| service.run.as_deref() == Some(mark));
        of_run.map(|service| service.kind).collect()
    }

    pub(super) fn put(&mut self, service: Service) -> Result<()> {
        self.services.retain(|known| known.kind != service.kind);
        self.services.push(service);
        self.write()
    }

    /// Changes a service. What the change did before it failed is kept too.
    pub(super) fn change(
        &mut self,
        kind: Kind,
        change: impl FnOnce(&mut Service) -> Result<()>,
    ) -> Result<()> {
        let service = self.services.iter_mut().find(|service| service.kind == kind);
        let changed = change(service.with_context(|| format!("{kind} is not in the state file"))?);
        self.write()?;
        changed
    }

    pub(super) fn remove(&mut self, kind: Kind) -> Result<()> {
        self.services.retain(|known| known.kind != kind);
        self.write()
    }

    /// By way of another file, so that a task that is killed leaves the old state or the new one.
    fn write(&self) -> Result<()> {
        let (new, path) = (self.places.base.join("state.json.new"), self.places.base.join("state.json"));
        let text =
            serde_json::to_string_pretty(&self.services).context("encoding the state of the services")?;
        fs::write(&new, text).with_context(|| format!("writing {}", new.display()))?;
        fs::rename(&new, &path).with_context(|| format!("writing {}", path.display()))
    }
}

/// Removes a directory with its contents, if it is there.
pub(super) fn remove_directory(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    fs::remove_dir_all(path).with_context(|| format!("removing {}", path.display()))
}

fn lock(path: &Path) -> Result<File> {
    let locking = || format!("locking {}", path.display());
    let file = File::create(path).with_context(locking)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say("waiting for another task that starts or stops servers");
            file.lock().with_context(locking)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(locking),
    }
    Ok(file)
}

fn read(path: &Path) -> Result<Vec<Service>> {
    if !path.exists() {
        return Ok(vec![]);
    }
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} is damaged: stop its processes by hand and remove it; it does not say what runs",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::command::Command;
    use super::super::process::Process;
    use super::{Kind, Member, Service, State, fs};

    fn service(kind: Kind, address: &str) -> Service {
        let process = Process::new(Command::new("server").with(["--port=1"]), "server.log".into());
        Service { run: None, ..Service::new(kind, address.to_owned(), vec![Member::Process(process)]) }
    }

    #[test]
    fn another_task_finds_what_was_put() {
        let root = tempfile::tempdir().unwrap();
        let mut state = State::open(root.path()).unwrap();
        state.put(service(Kind::Kafka, "127.0.0.1:1")).unwrap();
        state.put(service(Kind::Mysql, "127.0.0.1:2")).unwrap();
        state.put(service(Kind::Mysql, "127.0.0.1:3")).unwrap();
        state.remove(Kind::Kafka).unwrap();
        drop(state);
        let state = State::open(root.path()).unwrap();
        assert_eq!(state.find(Kind::Mysql), Some(&service(Kind::Mysql, "127.0.0.1:3")));
        assert_eq!(state.find(Kind::Kafka), None);
    }

    #[test]
    fn a_change_that_fails_is_kept_as_far_as_it_came() {
        let root = tempfile::tempdir().unwrap();
        let mut state = State::open(root.path()).unwrap();
        state.put(service(Kind::Kafka, "before")).unwrap();
        let outcome = state.change(Kind::Kafka, |service| {
            service.address = "after".to_owned();
            anyhow::bail!("halfway")
        });
        assert_eq!(outcome.unwrap_err().to_string(), "halfway");
        drop(state);
        assert_eq!(State::open(root.path()).unwrap().find(Kind::Kafka).unwrap().address, "after");
    }

    #[test]
    fn a_run_finds_what_it_started_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let mut state = State::open(root.path()).unwrap();
        let of = |run: &str, kind| Service { run: Some(run.to_owned()), ..service(kind, "127.0.0.1:1") };
        state.put(of("1-a", Kind::Kafka)).unwrap();
        state.put(of("2-b", Kind::Mysql)).unwrap();
        state.put(service(Kind::Mariadb, "127.0.0.1:3")).unwrap();
        drop(state);
        let state = State::open(root.path()).unwrap();
        assert_eq!(state.of_run("1-a"), [Kind::Kafka]);
        assert_eq!(state.of_run("1"), []);
    }

    #[test]
    fn a_damaged_file_is_not_taken_for_an_empty_one() {
        let root = tempfile::tempdir().unwrap();
        drop(State::open(root.path()).unwrap());
        fs::write(root.path().join("target/services/state.json"), "[{").unwrap();
        let error = State::open(root.path()).err().unwrap();
        assert!(error.to_string().contains("is damaged"), "{error}");
    }

    #[test]
    fn data_goes_and_packages_stay() {
        let root = tempfile::tempdir().unwrap();
        let state = State::open(root.path()).unwrap();
        let (data, packages) = (state.places().data(Kind::Kafka), state.places().packages());
        fs::create_dir_all(data.join("log")).unwrap();
        fs::create_dir_all(&packages).unwrap();
        state.places().clear(Kind::Kafka).unwrap();
        state.places().clear(Kind::Kafka).unwrap();
        assert!(!data.exists() && packages.exists());
    }
}
