//! A module and what is open of it: found tokens, sessions that are logged in, keys.
//!
//! A session stays open for all signatures. Where a call fails, everything is closed, the module begins
//! anew and the call is tried once more, because a token that was taken out and put back, or a server
//! behind a module that was started again, shows itself in no other way. A PIN that was refused is
//! remembered (its digest) and never tried again by this process.

use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use secrecy::ExposeSecret as _;

use super::fault::TokenFault;
use super::{AskPin, KeyName, KeyPlace, TokenName, ecdsa};
use crate::domain::Digest;

/// So many tokens are named where the wanted one is not there.
const MOST_NAMED: usize = 8;

/// A module as its thread sees it.
pub(super) struct Module {
    path: PathBuf,
    context: Option<Pkcs11>,
    open: Vec<OpenToken>,
    /// PINs that a token refused.
    refused: Vec<(TokenName, Digest)>,
    /// The library stays loaded from one beginning to the next: some do not survive being unloaded.
    stays: bool,
}

/// A token with a session.
struct OpenToken {
    name: TokenName,
    session: Session,
    may_sign: bool,
    keys: Vec<(KeyName, ObjectHandle)>,
}

/// Which half of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Public,
    Private,
}

fn in_short(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{function:?} ends with {code:?}"),
        other => other.to_string(),
    }
}

fn refuses(error: &Error) -> TokenFault {
    TokenFault::Refused(in_short(error))
}

impl Module {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, context: None, open: Vec::new(), refused: Vec::new(), stays: false }
    }

    /// Does something, and once more from the beginning where that may help.
    pub(super) fn again_where_it_fails<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, TokenFault>,
    ) -> Result<T, TokenFault> {
        let began_before = self.context.is_some();
        match work(self) {
            Err(fault) if began_before && fault.may_pass() => {
                self.close();
                work(self)
            }
            done => done,
        }
    }

    /// Closes everything; the next call begins anew.
    fn close(&mut self) {
        self.open.clear();
        if let Some(context) = self.context.take() {
            // Whether it says so or not, what comes next begins anew.
            context.finalize().unwrap_or_default();
        }
    }

    fn context(&mut self) -> Result<Pkcs11, TokenFault> {
        if let Some(context) = &self.context {
            return Ok(context.clone());
        }
        let module = || self.path.clone();
        let context = Pkcs11::new(&self.path)
            .map_err(|error| TokenFault::Module { module: module(), why: in_short(&error) })?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Somebody else in this process speaks to it as well.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => {
                return Err(TokenFault::NotBegun { module: module(), why: in_short(&error) });
            }
        }
        if !self.stays {
            std::mem::forget(Pkcs11::new(&self.path));
            self.stays = true;
        }
        self.context = Some(context.clone());
        Ok(context)
    }

    fn slot_of(&mut self, name: &TokenName) -> Result<(Slot, TokenInfo), TokenFault> {
        let context = self.context()?;
        let mut here = Vec::new();
        for slot in context.get_slots_with_token().map_err(|error| refuses(&error))? {
            // A slot whose token is just being taken out is passed over.
            let Ok(token) = context.get_token_info(slot) else { continue };
            if token.token_initialized() {
                here.push((slot, token));
            }
        }
        let is_it = |token: &TokenInfo| match name {
            TokenName::Label(label) => token.label().trim_end() == label,
            TokenName::Serial(serial) => token.serial_number().trim_end() == serial,
        };
        let mut found = here.iter().filter(|(_, token)| is_it(token));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.clone()),
            (Some(_), Some(_)) => Err(TokenFault::SeveralTokens(name.to_string())),
            (None, _) => Err(TokenFault::NoToken {
                token: name.to_string(),
                present: in_words(&here),
                module: self.path.clone(),
            }),
        }
    }

    /// Where the token stands among the open ones; it is opened where it is not.
    fn opened(&mut self, name: &TokenName) -> Result<usize, TokenFault> {
        if let Some(at) = self.open.iter().position(|one| one.name == *name) {
            return Ok(at);
        }
        let (slot, _) = self.slot_of(name)?;
        let session = self.context()?.open_ro_session(slot).map_err(|error| refuses(&error))?;
        let name = name.clone();
        self.open.push(OpenToken { name, session, may_sign: false, keys: Vec::new() });
        Ok(self.open.len() - 1)
    }

    /// Where the token stands among the open ones; it is logged in.
    fn logged_in(&mut self, name: &TokenName, pin: &AskPin) -> Result<usize, TokenFault> {
        let at = self.opened(name)?;
        if !self.open[at].may_sign {
            let (_, token) = self.slot_of(name)?;
            log_in(&self.open[at].session, (name, &token), pin, &mut self.refused)?;
            self.open[at].may_sign = true;
        }
        Ok(at)
    }

    pub(super) fn public_point(
        &mut self,
        place: &KeyPlace,
        pin: &AskPin,
    ) -> Result<[u8; 65], TokenFault> {
        let at = self.opened(&place.token)?;
        let found = find(&self.open[at].session, place, Half::Public);
        if matches!(found, Err(TokenFault::NoKey { .. })) && !self.open[at].may_sign {
            // Some tokens show nothing to whoever has not logged in.
            let (_, token) = self.slot_of(&place.token)?;
            if token.login_required() && !shows_keys(&self.open[at].session) {
                self.logged_in(&place.token, pin)?;
            }
        }
        let session = &self.open[at].session;
        point_of(session, find(session, place, Half::Public)?, place)
    }

    pub(super) fn sign(
        &mut self,
        place: &KeyPlace,
        pin: &AskPin,
        digest: Digest,
    ) -> Result<Vec<u8>, TokenFault> {
        let at = self.logged_in(&place.token, pin)?;
        let OpenToken { session, keys, .. } = &mut self.open[at];
        let known = keys.iter().find(|(name, _)| *name == place.key).map(|(_, key)| *key);
        let key = if let Some(key) = known {
            key
        } else {
            let key = find(session, place, Half::Private)?;
            refuse_what_asks_each_time(session, key, place)?;
            keys.push((place.key.clone(), key));
            key
        };
        session.sign(&Mechanism::Ecdsa, key, &digest.0).map_err(|error| refuses(&error))
    }

    pub(super) fn generate(
        &mut self,
        place: &KeyPlace,
        pin: &AskPin,
    ) -> Result<[u8; 65], TokenFault> {
        // From the beginning, because a session that only reads may be open.
        self.close();
        let (slot, token) = self.slot_of(&place.token)?;
        let session = self.context()?.open_rw_session(slot).map_err(|error| refuses(&error))?;
        log_in(&session, (&place.token, &token), pin, &mut self.refused)?;
        for half in [Half::Private, Half::Public] {
            match find(&session, place, half) {
                Err(TokenFault::NoKey { .. }) => {}
                Ok(_) | Err(TokenFault::SeveralKeys { .. }) => {
                    return Err(TokenFault::Exists {
                        token: place.token.to_string(),
                        key: place.key.to_string(),
                    });
                }
                Err(fault) => return Err(fault),
            }
        }
        let mut named = vec![Attribute::Token(true)];
        named.extend(place.key.label.as_ref().map(|label| Attribute::Label(label.clone().into())));
        named.extend(place.key.id.as_ref().map(|id| Attribute::Id(id.clone())));
        let mut public = named.clone();
        public.extend([
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(ecdsa::P256.to_vec()),
        ]);
        let mut private = named;
        private.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ]);
        let made = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
        let (made, _) = made.map_err(|error| refuses(&error))?;
        point_of(&session, made, place)
    }
}

/// The tokens that are there.
fn in_words(here: &[(Slot, TokenInfo)]) -> String {
    let named = here.iter().take(MOST_NAMED).map(|(_, token)| {
        format!("`{}` of serial number `{}`", token.label().trim_end(), token.serial_number())
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there is {}", named.join(", "))
    }
}

/// Logs in with the PIN as it is now, once, and only where a wrong one would not lock the token.
fn log_in(
    session: &Session,
    (name, token): (&TokenName, &TokenInfo),
    pin: &AskPin,
    refused: &mut Vec<(TokenName, Digest)>,
) -> Result<(), TokenFault> {
    if !token.login_required() {
        return Ok(());
    }
    if token.user_pin_locked() {
        return Err(TokenFault::Locked(name.to_string()));
    }
    let pin = pin().map_err(TokenFault::NoPin)?;
    let tried = (name.clone(), Digest::of(pin.expose_secret().as_bytes()));
    if refused.contains(&tried) {
        return Err(TokenFault::WrongPinBefore(name.to_string()));
    }
    if token.user_pin_final_try() {
        return Err(TokenFault::LastTry(name.to_string()));
    }
    let pin = AuthPin::new(pin.expose_secret().into());
    match session.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(TokenFault::Locked(name.to_string())),
        Err(Error::Pkcs11(
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
            _,
        )) => {
            refused.push(tried);
            Err(TokenFault::WrongPin(name.to_string()))
        }
        // Never tried again at once: some tokens say of a wrong PIN that something failed.
        Err(error) => Err(TokenFault::NoLogin { token: name.to_string(), why: in_short(&error) }),
    }
}

/// Whether public keys are shown to whoever has not logged in.
fn shows_keys(session: &Session) -> bool {
    let any = session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)]);
    any.is_ok_and(|any| !any.is_empty())
}

fn find(session: &Session, place: &KeyPlace, half: Half) -> Result<ObjectHandle, TokenFault> {
    let (class, what) = match half {
        Half::Public => (ObjectClass::PUBLIC_KEY, "public key"),
        Half::Private => (ObjectClass::PRIVATE_KEY, "private key"),
    };
    let mut wanted = vec![Attribute::Token(true), Attribute::Class(class)];
    wanted.extend(place.key.label.as_ref().map(|label| Attribute::Label(label.clone().into())));
    wanted.extend(place.key.id.as_ref().map(|id| Attribute::Id(id.clone())));
    let found = session.find_objects(&wanted).map_err(|error| refuses(&error))?;
    let (token, key) = (place.token.to_string(), place.key.to_string());
    match found[..] {
        [one] => Ok(one),
        [] => Err(TokenFault::NoKey { token, key, what }),
        _ => Err(TokenFault::SeveralKeys { token, key }),
    }
}

/// The point of a public key of P-256.
fn point_of(
    session: &Session,
    key: ObjectHandle,
    place: &KeyPlace,
) -> Result<[u8; 65], TokenFault> {
    let wanted = [AttributeType::KeyType, AttributeType::EcParams, AttributeType::EcPoint];
    let read = session.get_attributes(key, &wanted).map_err(|error| refuses(&error))?;
    let mut point = None;
    let mut fits = true;
    for one in read {
        match one {
            Attribute::KeyType(kind) => fits &= kind == KeyType::EC,
            Attribute::EcParams(curve) => fits &= curve == ecdsa::P256,
            Attribute::EcPoint(value) => point = ecdsa::point(&value),
            _ => {}
        }
    }
    point.filter(|_| fits).ok_or_else(|| {
        TokenFault::WrongKey(format!(
            "the {place} is no key of ECDSA over P-256 (`prime256v1`): name another one, or make one with `quietus keys generate`"
        ))
    })
}

/// A key that wants its PIN for each signature cannot sign while nobody is there.
fn refuse_what_asks_each_time(
    session: &Session,
    key: ObjectHandle,
    place: &KeyPlace,
) -> Result<(), TokenFault> {
    let read = session.get_attributes(key, &[AttributeType::AlwaysAuthenticate]);
    let asks = |one: &Attribute| matches!(one, Attribute::AlwaysAuthenticate(true));
    if read.unwrap_or_default().iter().any(asks) {
        return Err(TokenFault::WrongKey(format!(
            "the {place} wants its PIN for each signature (`CKA_ALWAYS_AUTHENTICATE`), and nobody is there to give it: name a key that does not"
        )));
    }
    Ok(())
}
