//! Keys and files of heads, also as other tools make them.

use std::path::PathBuf;

use super::check::{Fault, Witnessed};
use super::keys::{Disbelief, KeyError};
use super::*;

/// The first example key of RFC 8410, section 10.3, with its public key of section 10.1.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
/// The same with its public half and an attribute, in the newer form.
const PRIVATE_V2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn key(&self, text: &str) -> Result<SigningKey, KeyError> {
        SigningKey::read(&self.file("private.pem", text))
    }

    fn keys(&self, text: &str) -> Result<PublicKeys, KeyError> {
        PublicKeys::read(&[self.file("public.pem", text)])
    }
}

fn signed(key: &SigningKey, seq: i64) -> SignedHead {
    key.sign(seq, "ab".repeat(32), "2026-07-01T09:30:00Z".parse().unwrap())
}

#[test]
fn keys_of_other_tools_are_read_and_written_the_same() {
    let folder = Folder::new();
    let key = folder.key(PRIVATE).unwrap();
    assert_eq!(key.to_pem().unwrap(), (PRIVATE.to_owned(), PUBLIC.to_owned()));
    // SHA-256 over the 44 bytes of the public key, by another program.
    assert_eq!(key.id(), "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f");
    assert_eq!(folder.key(PRIVATE_V2).unwrap().id(), key.id());
    let keys = folder.keys(PUBLIC).unwrap();
    assert_eq!(keys.verify(&signed(&key, 7)), Ok(()));
    let fresh = SigningKey::generate().unwrap();
    let (private, public) = fresh.to_pem().unwrap();
    let again = folder.key(&private).unwrap();
    assert_eq!((again.id(), signed(&again, 1)), (fresh.id(), signed(&fresh, 1)));
    assert_eq!(folder.keys(&(public + PUBLIC)).unwrap().verify(&signed(&fresh, 1)), Ok(()), "one of two");
}

#[test]
fn whatever_is_changed_in_a_head_it_is_not_believed() {
    let folder = Folder::new();
    let (key, keys) = (folder.key(PRIVATE).unwrap(), folder.keys(PUBLIC).unwrap());
    let good = signed(&key, 7);
    let with = |change: fn(&mut SignedHead)| {
        let mut changed = good.clone();
        change(&mut changed);
        keys.verify(&changed)
    };
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|s| s.head.seq = 8), Err(Disbelief::Forged));
    assert_eq!(with(|s| s.head.hash = "ac".repeat(32)), Err(Disbelief::Forged));
    assert_eq!(with(|s| s.head.at = s.head.at.plus(1)), Err(Disbelief::Forged));
    assert_eq!(with(|s| s.signature.replace_range(0..1, "x")), Err(Disbelief::Forged));
    assert_eq!(with(|s| s.signature = "00".repeat(64)), Err(Disbelief::Forged));
    assert_eq!(with(|s| s.head.key_id = "00".repeat(32)), Err(Disbelief::UnknownKey));
    // A key of somebody else's, under the name of ours.
    let other = SigningKey::generate().unwrap();
    assert_eq!(keys.verify(&signed(&other, 7)), Err(Disbelief::UnknownKey));
    let mut posing = signed(&other, 7);
    posing.head.key_id = key.id().to_owned();
    assert_eq!(keys.verify(&posing), Err(Disbelief::Forged));
}

#[test]
fn what_is_no_key_is_refused_with_the_name_of_the_file() {
    let folder = Folder::new();
    let ec = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A\n\
        iTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==\n-----END PUBLIC KEY-----\n";
    for wrong in ["", "key", PUBLIC, &format!("{PRIVATE}{PRIVATE}"), &PRIVATE[..60], &PRIVATE.replace("MC4C", "MC4D")] {
        let said = folder.key(wrong).unwrap_err().to_string();
        assert!(said.contains("private.pem") && said.contains("Ed25519 private key"), "{said}");
        assert!(!said.contains("MC4C"), "{said}");
    }
    for wrong in ["", "key", PRIVATE, ec, &format!("{PUBLIC}{PRIVATE}")] {
        let said = folder.keys(wrong).unwrap_err().to_string();
        assert!(said.contains("public.pem") && said.contains("Ed25519 public key"), "{said}");
    }
    let missing = SigningKey::read(&folder.0.path().join("nowhere.pem")).unwrap_err().to_string();
    assert!(missing.contains("nowhere.pem"), "{missing}");
    assert!(PublicKeys::read(&[folder.file("a.pem", PUBLIC), folder.0.path().join("nowhere.pem")]).is_err());
}

#[test]
fn files_of_heads_are_read_line_by_line() {
    let folder = Folder::new();
    let (key, keys) = (folder.key(PRIVATE).unwrap(), folder.keys(PUBLIC).unwrap());
    let line = |seq| signed(&key, seq).line() + "\n";
    let read = |text: &str| {
        let witnessed = Witnessed::read(&[folder.file("heads", text)], &keys).unwrap();
        let heads: Vec<i64> = witnessed.heads.iter().map(|(seq, _)| *seq).collect();
        (heads, witnessed.faulty.iter().map(|faulty| (faulty.line, faulty.fault)).collect::<Vec<_>>())
    };
    assert_eq!(read(""), (vec![], vec![]));
    assert_eq!(read(&(line(1) + &line(3) + &line(3))), (vec![1, 3, 3], vec![]));
    let forged = line(5).replacen("\"seq\":5", "\"seq\":6", 1);
    let stranger = signed(&SigningKey::generate().unwrap(), 7).line() + "\r\n";
    let expected = vec![(2, Fault::Malformed), (3, Fault::Forged(6)), (4, Fault::UnknownKey(7)), (5, Fault::Malformed)];
    assert_eq!(read(&(line(1) + "\n" + &forged + &stranger + "\u{0}\n" + &line(9))), (vec![1, 9], expected));
    // A head that goes back counts, and is told.
    let backwards = (5, Fault::Backwards { before: 4, now: 2 });
    assert_eq!(
        read(&(line(1) + &line(3) + &line(3) + &line(4) + &line(2) + &line(5))),
        (vec![1, 3, 3, 4, 2, 5], vec![backwards])
    );
    // What was being written when the signer died is passed over; a whole line without its end counts.
    assert_eq!(read(&(line(1) + &line(2)[..150])), (vec![1], vec![]));
    assert_eq!(read(&(line(1) + line(2).trim_end())), (vec![1, 2], vec![]));
    // Each file is of one signer: two need not be in step.
    let (a, b) = (folder.file("a", &line(9)), folder.file("b", &line(4)));
    let both = Witnessed::read(&[a, b], &keys).unwrap();
    assert_eq!((both.heads.len(), both.faulty.len()), (2, 0));
    let (file, _) = Witnessed::read(&[folder.0.path().join("nowhere")], &keys).unwrap_err();
    assert!(file.ends_with("nowhere"));
}
