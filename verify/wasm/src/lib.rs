//! The verifier as WebAssembly, for pages: bytes in, a verdict in JSON out.
//!
//! Eight files have numbers: 0 the bundle, 1 the trusted root, 2 the issuer's key, 3 the file that
//! the certificate is about, 4 the newest status list, 5 the certificate that follows, 6 the policy,
//! 7 what others vouch for, as several files in one. The host asks where to put each
//! (`quietus_input`), writes it there, asks for the verdict (`quietus_verify`) and reads it.
//! `quietus-verify.mjs` does that. Nothing is imported: the module can reach nothing but these bytes.

#![expect(
    unsafe_code,
    reason = "functions that the host calls keep their names; no block is unsafe"
)]

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use quietus_verify::anchor_folder::AnchorFolder;
use quietus_verify::bundle::BUNDLE_BYTES;
use quietus_verify::print;
use quietus_verify::status::StatusFiles;
use quietus_verify::verify::{Material, Source, verify};

/// Number of files.
const FILES: usize = 8;

static INPUTS: Mutex<[Vec<u8>; FILES]> = Mutex::new([const { Vec::new() }; FILES]);
static VERDICT: Mutex<String> = Mutex::new(String::new());

/// Makes room for `bytes` bytes of a file and says where; null where there is no such file or it is
/// larger than any that is read. The place is good until the next call with the same number.
#[unsafe(no_mangle)]
pub extern "C" fn quietus_input(file: u32, bytes: u32) -> *mut u8 {
    let mut inputs = INPUTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (Ok(file), Ok(bytes)) = (usize::try_from(file), usize::try_from(bytes)) else {
        return std::ptr::null_mut();
    };
    match inputs.get_mut(file) {
        Some(place) if bytes <= BUNDLE_BYTES => {
            *place = vec![0; bytes];
            place.as_mut_ptr()
        }
        _ => std::ptr::null_mut(),
    }
}

/// Verifies, and says how many bytes the verdict has. Bit `n` of `present` says that file `n` is
/// there, bit `n` of `given` that the verifying person has it from the issuer on another way. `now`
/// is what time it is, in seconds since 1970-01-01 UTC; 0 where nobody knows.
#[unsafe(no_mangle)]
pub extern "C" fn quietus_verify(present: u32, given: u32, now: u32) -> u32 {
    let inputs = INPUTS.lock().unwrap_or_else(PoisonError::into_inner);
    let file = |number: usize| {
        let source = if (given >> number) & 1 == 1 { Source::Given } else { Source::Beside };
        ((present >> number) & 1 == 1).then(|| (inputs[number].as_slice(), source))
    };
    let mut anchors = file(7)
        .map_or_else(AnchorFolder::default, |(bytes, _)| AnchorFolder::from_files(framed(bytes)));
    anchors.policy = file(6).map(|(bytes, _)| bytes.to_vec());
    let verdict = verify(&Material {
        bundle: file(0).map_or(&[][..], |(bytes, _)| bytes),
        trusted_root: file(1),
        issuer_key: file(2),
        manifest: file(3).map(|(bytes, _)| bytes),
        status: StatusFiles {
            list: file(4).map(|(bytes, _)| bytes),
            successor: file(5).map(|(bytes, _)| bytes),
            now: Timestamp::from_second(i64::from(now)).ok().filter(|_| now > 0),
        },
        anchors: anchors.files(file(6).map_or(Source::Beside, |(_, source)| source)),
        ..Material::default()
    });
    let json = print::json(&verdict);
    let bytes = u32::try_from(json.len()).unwrap_or(0);
    *VERDICT.lock().unwrap_or_else(PoisonError::into_inner) = json;
    bytes
}

/// Files by name, each as the length of its name, its name, its length and its bytes; lengths are four
/// bytes, the least one first. What is cut off is left out, and so not there to be checked.
fn framed(mut rest: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    while let Some((name, after)) = one(rest)
        && let Some((bytes, after)) = one(after)
    {
        files.push((String::from_utf8_lossy(name).into_owned(), bytes.to_vec()));
        rest = after;
    }
    files
}

/// The first part that stands behind its length, and what follows it.
fn one(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// Where the verdict stands, in UTF-8, until the next call of `quietus_verify`.
#[unsafe(no_mangle)]
pub extern "C" fn quietus_verdict() -> *const u8 {
    VERDICT.lock().unwrap_or_else(PoisonError::into_inner).as_ptr()
}
