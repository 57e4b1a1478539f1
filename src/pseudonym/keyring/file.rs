//! Keyring files: who may read them, and how they are written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::error::{Exposure, KeyringError};

/// A keyring of thousands of epochs is far smaller.
const MAX: u64 = 1 << 20;

/// The text of a keyring file that only its owner can read. What is checked is the open file, not its name.
pub fn read(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    let failed = |source| KeyringError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o7777;
    if let Some(exposure) = exposure(metadata.is_file(), mode, metadata.uid(), rustix::process::geteuid().as_raw()) {
        return Err(KeyringError::Exposed { path: path.to_owned(), mode, exposure });
    }
    if metadata.len() > MAX {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB")));
    }
    // All room at once: growing would leave copies of the secrets behind.
    let mut text = Zeroizing::new(String::with_capacity(metadata.len() as usize + 1));
    file.take(metadata.len()).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// How a file is open to others than `user`, the user of this process.
fn exposure(is_file: bool, mode: u32, owner: u32, user: u32) -> Option<Exposure> {
    const ROOT: u32 = 0;
    // Only root can hand its file to a group, and only the orchestrator is root where this process is not.
    let allowed_to_others = if owner == ROOT && user != ROOT { 0o040 } else { 0 };
    if !is_file {
        Some(Exposure::NotAFile)
    } else if mode & 0o077 & !allowed_to_others != 0 {
        Some(Exposure::Mode)
    } else if owner != user && owner != ROOT {
        Some(Exposure::Owner { owner, user })
    } else {
        None
    }
}

/// Writes a new file that only its owner can read, and makes sure that it is on disk.
pub fn create(path: &Path, text: &str) -> Result<(), KeyringError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyringError::Exists { path: path.to_owned() },
        _ => KeyringError::Write { path: path.to_owned(), source },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // Half a keyring is none, and it would stand in the way of the next attempt.
        let _ = std::fs::remove_file(path);
        failed(source)
    })
}

/// Puts a text in place of a file's, so that whoever reads sees the one or the other, also after a crash.
pub fn replace(path: &Path, text: &str) -> Result<(), KeyringError> {
    let failed = |source| KeyringError::Write { path: path.to_owned(), source };
    // Through links: what is replaced is the file, not the link to it.
    let path = path.canonicalize().map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    create(&beside, text)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let renamed = std::fs::rename(&beside, &path).and_then(|()| File::open(folder)?.sync_all());
    renamed.map_err(|source| {
        let _ = std::fs::remove_file(&beside);
        failed(source)
    })
}

/// Keeps this process's memory, and so its keys, out of core dumps and out of other processes' reach.
pub fn keep_out_of_core_dumps() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_the_owner_may_read_it_and_a_group_only_what_is_roots() {
        let (me, other, root) = (1000, 1001, 0);
        for (mode, owner, user, expected) in [
            (0o600, me, me, None),
            (0o400, me, me, None),
            (0o400, root, me, None),
            (0o440, root, me, None),
            (0o640, root, me, None),
            (0o600, root, root, None),
            (0o440, root, root, Some(Exposure::Mode)),
            (0o440, me, me, Some(Exposure::Mode)),
            (0o640, me, me, Some(Exposure::Mode)),
            (0o660, root, me, Some(Exposure::Mode)),
            (0o450, root, me, Some(Exposure::Mode)),
            (0o444, root, me, Some(Exposure::Mode)),
            (0o602, me, me, Some(Exposure::Mode)),
            (0o601, me, me, Some(Exposure::Mode)),
            (0o600, other, me, Some(Exposure::Owner { owner: other, user: me })),
            (0o600, me, root, Some(Exposure::Owner { owner: me, user: root })),
        ] {
            assert_eq!(exposure(true, mode, owner, user), expected, "{mode:o} of {owner} for {user}");
        }
        assert_eq!(exposure(false, 0o600, me, me), Some(Exposure::NotAFile));
    }

    #[test]
    fn a_file_is_created_for_its_owner_alone_and_read_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyring");
        create(&file, "text").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        let link = folder.path().join("link");
        symlink(&file, &link).unwrap();
        assert_eq!(*read(&link).unwrap(), "text");

        fs::set_permissions(&file, Permissions::from_mode(0o604)).unwrap();
        let told = read(&link).unwrap_err().to_string();
        let path = link.display();
        assert_eq!(
            told,
            format!(
                "{path}: others may read or change the keyring (mode 0604): `chmod 600 {path}`. \
                 In a Kubernetes Secret volume set `defaultMode: 0400` (or 0440 with `fsGroup`)"
            )
        );
    }

    #[test]
    fn a_file_that_exists_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyring");
        create(&file, "first").unwrap();
        assert!(matches!(create(&file, "second"), Err(KeyringError::Exists { .. })));
        let link = folder.path().join("dangling");
        symlink(folder.path().join("nowhere"), &link).unwrap();
        assert!(matches!(create(&link, "second"), Err(KeyringError::Exists { .. })), "a link is not followed");
        assert_eq!(fs::read_to_string(&file).unwrap(), "first");
    }

    #[test]
    fn folders_and_what_is_not_text_or_too_large_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(KeyringError::Exposed { exposure: Exposure::NotAFile, .. })));
        let file = folder.path().join("keyring");
        assert!(
            matches!(read(&file), Err(KeyringError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound)
        );
        create(&file, &"#".repeat(MAX as usize + 1)).unwrap();
        assert!(
            matches!(read(&file), Err(KeyringError::Read { source, .. }) if source.kind() == io::ErrorKind::FileTooLarge)
        );
        fs::write(&file, b"\xff").unwrap();
        assert!(
            matches!(read(&file), Err(KeyringError::Read { source, .. }) if source.kind() == io::ErrorKind::InvalidData)
        );
    }
}
