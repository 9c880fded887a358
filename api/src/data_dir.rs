//! The data directory, and the lock that keeps a second process from writing in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "lock";

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be made or opened.
    #[error("opening the data directory {path}")]
    Open {
        /// Which directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// Another process writes in it.
    #[error(
        "the data directory {path} is in use by PID {pid}. Stop that process first, ask it over HTTP instead, or name \
         another directory with --data-dir"
    )]
    InUse {
        /// Which directory.
        path: PathBuf,
        /// Who uses it, as it said itself.
        pid: String,
    },
}

/// The right to write in some directories, held until it is dropped. The system gives it back when the process dies,
/// however it dies.
#[derive(Debug)]
pub struct Lock {
    _files: Vec<File>,
}

/// Makes the directories if they are not there, and takes the right to write in each.
///
/// # Errors
/// [`Error::InUse`] if another process has one of them, [`Error::Open`].
pub fn lock(directories: &[&Path]) -> Result<Lock, Error> {
    let mut real = Vec::new();
    for directory in directories {
        let failed = |source| Error::Open { path: directory.to_path_buf(), source };
        std::fs::create_dir_all(directory).map_err(failed)?;
        real.push(directory.canonicalize().map_err(failed)?);
    }
    real.sort();
    real.dedup();
    let files = real.iter().map(|directory| lock_one(directory)).collect::<Result<_, _>>()?;
    Ok(Lock { _files: files })
}

fn lock_one(directory: &Path) -> Result<File, Error> {
    let failed = |source| Error::Open { path: directory.to_path_buf(), source };
    let path = directory.join(LOCK_FILE);
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let read = file.read_to_string(&mut pid);
            let pid = read.ok().map(|_| pid.trim().to_owned()).filter(|pid| !pid.is_empty());
            let pid = pid.unwrap_or_else(|| "unknown".to_owned());
            return Err(Error::InUse { path: directory.to_path_buf(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::{Error, lock};

    #[test]
    fn a_second_lock_names_the_process_that_holds_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let first = lock(&[directory.path()]).unwrap();
        let Err(Error::InUse { pid, .. }) = lock(&[directory.path(), directory.path()]) else {
            panic!("two locks")
        };
        assert_eq!(pid, std::process::id().to_string());
        drop(first);
        lock(&[directory.path()]).unwrap();
    }
}
