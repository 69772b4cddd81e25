//! Ed25519 keys as files: the private one in PKCS#8, the public one as `SubjectPublicKeyInfo`, both PEM, as the usual
//! tools write and read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use pem::{EncodeConfig, LineEnding, Pem};
use sha2::{Digest, Sha256};
use sopwith_domain::audit::{Head, SignedHead};
use sopwith_domain::time::Timestamp;

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";
/// What stands before the 32 bytes of a public key in its `SubjectPublicKeyInfo` (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a key cannot be had. For operators: it names files.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{}: {error}", .file.display())]
    Unreadable { file: PathBuf, error: std::io::Error },
    /// It holds something else.
    #[error("{}: this is not {expected}", .file.display())]
    Wrong { file: PathBuf, expected: &'static str },
    /// The library refuses.
    #[error("the key cannot be made")]
    Refused,
}

/// The key that heads are signed with.
#[derive(Debug)]
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

impl SigningKey {
    /// A new one, from the randomness of the operating system.
    ///
    /// # Errors
    /// When there is none.
    pub fn generate() -> Result<Self, KeyError> {
        Self::of(Ed25519KeyPair::generate().map_err(|_| KeyError::Refused)?)
    }

    /// The one in a file.
    ///
    /// # Errors
    /// When it cannot be read or is no such key.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        let wrong = || wrong(file, PRIVATE);
        let [der] = &blocks(file, PRIVATE)?[..] else { return Err(wrong()) };
        Self::of(Ed25519KeyPair::from_pkcs8(der).map_err(|_| wrong())?)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let spki = pair.public_key().as_der().map_err(|_| KeyError::Refused)?;
        let id = id(spki.as_ref());
        Ok(Self { pair, id })
    }

    /// Names the key in heads.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Both halves in PEM, the private one first. Its form is the older one of two (RFC 5208), which all tools read.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn to_pem(&self) -> Result<(String, String), KeyError> {
        let private = self.pair.to_pkcs8v1().map_err(|_| KeyError::Refused)?;
        let public = self.pair.public_key().as_der().map_err(|_| KeyError::Refused)?;
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
        let text = |tag, der: &[u8]| pem::encode_config(&Pem::new(tag, der), config);
        Ok((text(PRIVATE, private.as_ref()), text(PUBLIC, public.as_ref())))
    }

    /// Signs that the chain ends at this entry.
    #[must_use]
    pub fn sign(&self, seq: i64, hash: String, at: Timestamp) -> SignedHead {
        let head = Head { seq, hash, at, key_id: self.id.clone() };
        let signature = hex::encode(self.pair.sign(head.statement().as_bytes()));
        SignedHead { head, signature }
    }
}

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disbelief {
    /// None of the keys made it, by its own words.
    UnknownKey,
    /// The key that it names did not make it.
    Forged,
}

/// The keys whose signatures are believed, by their ids.
#[derive(Debug, Default)]
pub struct PublicKeys(BTreeMap<String, [u8; 32]>);

impl PublicKeys {
    /// Those in files, each with one or more.
    ///
    /// # Errors
    /// When a file cannot be read, or holds anything else.
    pub fn read(files: &[PathBuf]) -> Result<Self, KeyError> {
        let mut keys = Self::default();
        for file in files {
            for der in blocks(file, PUBLIC)? {
                let raw = der.strip_prefix(&SPKI).and_then(|raw| raw.try_into().ok());
                keys.0.insert(id(&der), raw.ok_or_else(|| wrong(file, PUBLIC))?);
            }
        }
        Ok(keys)
    }

    /// Checks the signature of a head.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(&self, signed: &SignedHead) -> Result<(), Disbelief> {
        let key = self.0.get(&signed.head.key_id).ok_or(Disbelief::UnknownKey)?;
        let signature = hex::decode(&signed.signature).map_err(|_| Disbelief::Forged)?;
        let statement = signed.head.statement();
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(statement.as_bytes(), &signature).map_err(|_| Disbelief::Forged)
    }
}

/// The id of a key, of its `SubjectPublicKeyInfo`.
fn id(spki: &[u8]) -> String {
    hex::encode(Sha256::digest(spki))
}

/// The contents of a PEM file, all of one kind.
fn blocks(file: &Path, tag: &str) -> Result<Vec<Vec<u8>>, KeyError> {
    let text = std::fs::read(file).map_err(|error| KeyError::Unreadable { file: file.to_owned(), error })?;
    let found = pem::parse_many(text).unwrap_or_default();
    if found.is_empty() || found.iter().any(|block| block.tag() != tag) {
        return Err(wrong(file, tag));
    }
    Ok(found.into_iter().map(Pem::into_contents).collect())
}

fn wrong(file: &Path, tag: &str) -> KeyError {
    let expected = match tag {
        PRIVATE => "one Ed25519 private key (PKCS#8 in PEM, not encrypted)",
        _ => "an Ed25519 public key (PEM)",
    };
    KeyError::Wrong { file: file.to_owned(), expected }
}
