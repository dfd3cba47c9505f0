//! The only creator of files.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use qianyi::durable::{self, DurableFile};
use qianyi::error::{Consequence, RetryClass};

#[test]
fn a_file_is_absent_until_it_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bin");
    let mut file = DurableFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    assert!(!path.exists());
    file.write_all(b" and half").unwrap();
    let (bytes, sha) = file.commit().unwrap();
    assert_eq!((bytes, std::fs::read(&path).unwrap().as_slice()), (13, b"half and half".as_slice()));
    assert_eq!(durable::sha256(&path).unwrap(), sha);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_a_killed_process_left_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".a.bin.tmp"), "a much longer rest of an earlier attempt").unwrap();
    durable::write(&dir.path().join("a.bin"), b"new").unwrap();
    assert_eq!(std::fs::read(dir.path().join("a.bin")).unwrap(), b"new");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_earlier_file_stays_until_the_new_one_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bin");
    durable::write(&path, b"old").unwrap();
    let mut file = DurableFile::create(&path).unwrap();
    file.write_all(b"new").unwrap();
    drop(file);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[test]
fn removing_what_is_not_there_is_fine_and_a_refusal_names_the_path() {
    let dir = tempfile::tempdir().unwrap();
    durable::remove_dir_all(&dir.path().join("none")).unwrap();
    durable::remove_file(&dir.path().join("none")).unwrap();
    let error = durable::write(&dir.path().join("none/a.bin"), b"").unwrap_err();
    assert!(error.to_string().ends_with("none/.a.bin.tmp could not be created"), "{error}");
    assert_eq!(error.retry_class(), RetryClass::Resume);
}

#[test]
fn what_is_made_is_its_owners_alone_but_below_a_folder_that_passes_its_group_on() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for (of_folder, folder, file) in [
        (0o700, 0o700, 0o600),
        // Open to the group, but not passed on: somebody's home, a checkout.
        (0o775, 0o700, 0o600),
        (0o2770, 0o2770, 0o660),
        (0o2750, 0o2750, 0o640),
        (0o2777, 0o2770, 0o660),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(of_folder)).unwrap();
        let (below, deeper) = (dir.path().join("a"), dir.path().join("a/b"));
        durable::create_dir_all(&deeper).unwrap();
        durable::write(&deeper.join("written"), b"x").unwrap();
        durable::append(&deeper.join("appended"), b"x\n").unwrap();
        durable::touch(&deeper.join("touched")).unwrap();
        drop(durable::open_lock(&deeper.join("lock")).unwrap());
        assert_eq!((mode(&below), mode(&deeper)), (folder, folder), "{of_folder:o}");
        for name in ["written", "appended", "touched", "lock"] {
            assert_eq!(mode(&deeper.join(name)), file, "{of_folder:o} {name}");
        }
    }
}
