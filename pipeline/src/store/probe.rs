//! What the file system can do that a store lies on.

use super::locks::take;
use super::{Durability, Store, files};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What was found out.
#[derive(Debug)]
pub struct Abilities {
    /// Whether files can be locked, which keeps two runs apart; else why not.
    pub locks: io::Result<()>,
    /// The option of its mount by which other machines do not see these locks.
    pub own_locks: Option<String>,
    /// Whether two folders change places in one step.
    pub exchanges: bool,
    /// Whether new names in a folder can be made to outlast a loss of power.
    pub syncs_folders: bool,
}

impl Abilities {
    /// What the program goes on without, each with what a person can do about it.
    pub fn limits(&self) -> Vec<String> {
        let own_locks = self.own_locks.as_ref().map(|option| {
            format!(
                "locks are of this machine only (it is mounted with `{option}`): let no other machine run into this store meanwhile, \
                 or mount it without"
            )
        });
        let exchange = "folders change places in three steps and not in one (a network file system): a kill between them leaves a gap, \
                        which is mended by computing again; a store on a local disk (--store FOLDER) has none";
        let sync = "folders cannot be saved to disk for certain: what a loss of power takes is computed again; a store on a local disk \
                    (--store FOLDER) keeps it";
        let lacks = [(self.exchanges, exchange), (self.syncs_folders, sync)];
        own_locks
            .into_iter()
            .chain(lacks.iter().filter(|(can, _)| !can).map(|(_, limit)| (*limit).to_owned()))
            .collect()
    }
}

impl Store {
    /// Tries it in a folder of its own, which is removed again. None where nothing can be written.
    pub fn probe(root: &Path) -> Option<Abilities> {
        let folder = files::unique_beside(&root.join("probe"));
        fs::create_dir(&folder).ok()?;
        let abilities = try_in(&folder);
        // What is left of it `gc` finds.
        let _ = fs::remove_dir_all(&folder);
        abilities.ok()
    }

    /// What runs into this store go on without: tried when a machine first does so, and told no more afterwards. That files cannot
    /// be locked at all is an error of every run.
    pub fn new_limits(&self) -> Vec<String> {
        self.limits_unless_known(Self::probe)
    }

    fn limits_unless_known(&self, probe: impl FnOnce(&Path) -> Option<Abilities>) -> Vec<String> {
        let device = fs::metadata(&self.root).map_or(0, |root| root.dev());
        let place = self.root.join("file-systems").join(format!("{}-{device:x}", files::this_host()));
        if place.exists() {
            return vec![];
        }
        let Some(found) = probe(&self.root).filter(|found| found.locks.is_ok()) else { return vec![] };
        let limits = found.limits();
        // Only a cache: what cannot be noted is tried and told again.
        let _ = files::write_whole(&place, limits.join("\n").as_bytes(), Durability::Quick);
        limits
    }
}

fn try_in(folder: &Path) -> io::Result<Abilities> {
    let file = File::create(folder.join("lock"))?;
    let locks = take(&file, File::try_lock).map(drop);
    let [one, other, aside] = ["one", "other", "aside"].map(|name| folder.join(name));
    fs::create_dir(&one)?;
    fs::create_dir(&other)?;
    let refused = |_: &Path, _: &Path| Err(io::Error::from_raw_os_error(libc::ENOSYS));
    let exchanges = pretext_protocol::exchange(&one, &other, &aside, refused).is_ok();
    let syncs_folders = File::open(folder)?.sync_all().is_ok();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own_locks = own_locks(&mounts, fs::metadata(folder)?.dev());
    Ok(Abilities { locks, own_locks, exchanges, syncs_folders })
}

/// The option by which a device's locks stay on this machine: `nolock` and `local_lock` of NFS, `localflock` of Lustre. A line of
/// `mounts` is `36 35 0:53 / /home rw - nfs server:/home rw,vers=3,local_lock=none`.
fn own_locks(mounts: &str, device: u64) -> Option<String> {
    let number = format!("{}:{}", libc::major(device), libc::minor(device));
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&number))?;
    let options = line.rsplit(' ').next()?.split(',');
    let own = ["nolock", "local_lock=flock", "local_lock=all", "localflock"];
    options.into_iter().find(|option| own.contains(option)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Abilities = Abilities { locks: Ok(()), own_locks: None, exchanges: true, syncs_folders: true };

    #[test]
    fn a_local_disk_can_lock_and_nothing_is_left_of_the_question() {
        let folder = tempfile::tempdir().unwrap();
        let abilities = Store::probe(folder.path()).unwrap();
        assert!(abilities.locks.is_ok() && abilities.own_locks.is_none() && abilities.syncs_folders);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Store::probe(&folder.path().join("not there")).is_none());
    }

    #[test]
    fn what_the_file_system_cannot_do_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let less = || Some(Abilities { exchanges: false, own_locks: Some("nolock".to_owned()), ..LOCAL });
        assert_eq!(store.limits_unless_known(|_| None), [""; 0], "nothing can be written");
        let refused = || Some(Abilities { locks: Err(io::Error::from_raw_os_error(libc::ENOLCK)), ..LOCAL });
        assert_eq!(store.limits_unless_known(|_| refused()), [""; 0], "the run itself says so");
        let told = store.limits_unless_known(|_| less());
        let beginnings: Vec<&str> =
            told.iter().filter_map(|limit| limit.split_once(" (")).map(|(text, _)| text).collect();
        assert_eq!(
            beginnings,
            ["locks are of this machine only", "folders change places in three steps and not in one"]
        );
        assert_eq!(store.limits_unless_known(|_| unreachable!("it is known")), [""; 0]);
        assert_eq!(LOCAL.limits(), [""; 0]);
        assert_eq!(Abilities { syncs_folders: false, ..LOCAL }.limits().len(), 1);
    }

    #[test]
    fn a_mount_says_whose_its_locks_are() {
        let mounts = "36 35 0:53 / /home rw shared:1 - nfs server:/home rw,vers=3,nolock,local_lock=all\n\
                      37 35 0:54 / /data rw - nfs4 server:/data rw,local_lock=none\n\
                      38 35 0:55 / /scratch rw - lustre mds:/fs rw,localflock\n";
        let of = |minor| own_locks(mounts, libc::makedev(0, minor));
        assert_eq!([53, 54, 55, 56].map(of), [Some("nolock".to_owned()), None, Some("localflock".to_owned()), None]);
    }
}
