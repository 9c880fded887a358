//! A small disk that can be filled up: a file system in memory, mounted at a directory.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// Space on the disk; enough for the embedded log and its tables in a short run.
const SIZE: &str = "256m";
const FILL: &str = "everything-that-was-free";

/// A disk that is there until this is dropped.
pub(crate) struct SmallDisk {
    directory: PathBuf,
}

impl SmallDisk {
    /// Mounts one at a directory; none where this process may not mount.
    pub(crate) fn mount(directory: &Path) -> Result<Option<Self>> {
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        // A run that was killed may have left one.
        unmount(directory);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"]).arg(directory);
        let mounted = mount.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let is_mounted = mounted.is_ok_and(|status| status.success());
        Ok(is_mounted.then(|| Self { directory: directory.to_owned() }))
    }

    /// Takes all the space that is left.
    pub(crate) fn fill(&self) -> Result<()> {
        let path = self.directory.join(FILL);
        let mut file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        let block = vec![7; 64 << 10];
        let mut length = block.len();
        while length > 0 {
            match file.write(&block[..length]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => length /= 2,
                Err(error) => return Err(error).with_context(|| format!("filling {}", path.display())),
            }
        }
        Ok(())
    }

    /// Gives the space back.
    pub(crate) fn free(&self) -> Result<()> {
        let path = self.directory.join(FILL);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.directory);
    }
}

/// Also while somebody still has a file of it open.
fn unmount(directory: &Path) {
    let mut unmount = Command::new("umount");
    unmount.arg("-l").arg(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _ = unmount.status();
}
