//! Conditions that something refers, or nothing refers, to a record.

use crate::receipt::Fault;
use crate::sql::associations;
use crate::sql::compile::{Compiler, Place};
use crate::sql::fragment::Fragment;
use crate::sql::gathered_keys::{GatheredKeys, Share};
use crate::sql::memberships::likeliest_first;
use crate::sql::scene::Blocker;

impl Compiler<'_, '_> {
    /// A record of the blocker refers to the record at `place`.
    pub(crate) fn referred(&self, place: &Place, blocker: &Blocker) -> Result<Fragment, Fault> {
        let referred = match GatheredKeys::of(self.scene, place.table, blocker, Share::Every) {
            Some(keys) => keys.hold(self, place)?,
            None => self.referred_where(place, blocker, &|_| Ok(None))?,
        };
        let nobody = associations::stands_for_nobody(self, place, blocker)?;
        Ok(Fragment::any(std::iter::once(referred).chain(nobody).collect()))
    }

    /// A record of the blocker refers to the record at `place`, and `more` holds for it. Each
    /// parent looks for its own children.
    pub(crate) fn referred_where(
        &self,
        place: &Place,
        blocker: &Blocker,
        more: &dyn Fn(&Place) -> Result<Option<Fragment>, Fault>,
    ) -> Result<Fragment, Fault> {
        let (from, child) = self.inner(blocker.table, blocker.instruction)?;
        let mut conditions = Vec::new();
        for (own, other) in blocker.fields.iter().zip(&blocker.to_fields) {
            conditions.push(Fragment::raw(format!(
                "{} = {}",
                self.column(&child, own)?,
                self.column(place, other)?
            )));
        }
        conditions.extend(blocker.only_where(self, &child)?);
        conditions.extend(more(&child)?);
        Ok(Fragment::join(conditions, " AND ")
            .within(&format!("EXISTS (SELECT 1 FROM {from} WHERE "), ")"))
    }

    /// Nothing that keeps the record at `place` refers to it.
    pub(crate) fn unreferred(&self, place: &Place) -> Result<Vec<Fragment>, Fault> {
        let mut conditions = Vec::new();
        for blocker in likeliest_first(self.scene, place.table) {
            conditions.push(self.referred(place, &blocker)?.within("NOT ", ""));
        }
        Ok(conditions)
    }
}
