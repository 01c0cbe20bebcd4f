//! The key by which a table is cut into windows.

use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place};
use crate::sql::dialect::KeyCompare;
use crate::sql::faults::transient;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::refusals::window_key;
use crate::sql::scene::Scene;

/// The key by which a table is cut into windows.
pub(crate) enum Keys {
    /// SQLite's row number: always there, never null, and the order in which records lie.
    RowNumber(&'static str),
    Fields(Vec<String>),
}

impl Keys {
    pub(crate) fn of(compiler: &Compiler<'_, '_>, place: &Place, instruction: usize) -> Self {
        Self::of_table(compiler.scene, place.table, instruction)
    }

    pub(crate) fn of_table(scene: &Scene<'_>, table: usize, instruction: usize) -> Self {
        let table = scene.table(table);
        match table.rowid {
            Some(name) => Self::RowNumber(name),
            None => Self::Fields(window_key(table, &scene.instruction(instruction).key)),
        }
    }

    /// The parts of the key in the statement, quoted.
    pub(crate) fn names(
        &self,
        compiler: &Compiler<'_, '_>,
        place: &Place,
    ) -> Result<Vec<String>, Fault> {
        match self {
            Self::RowNumber(name) => Ok(vec![format!("{}.{name}", place.prefix)]),
            Self::Fields(fields) => {
                fields.iter().map(|name| compiler.column(place, name)).collect()
            }
        }
    }

    /// They as text, as a statement selects them.
    pub(crate) fn selected(
        &self,
        compiler: &Compiler<'_, '_>,
        place: &Place,
    ) -> Result<String, Fault> {
        match self {
            Self::RowNumber(name) => Ok(format!("{}.{name}", place.prefix)),
            Self::Fields(fields) => {
                let parts: Result<Vec<String>, Fault> = fields
                    .iter()
                    .map(|name| compiler.operand(place, name, |operand| Ok(operand.key_selected())))
                    .collect();
                Ok(parts?.join(", "))
            }
        }
    }

    /// The condition that a record lies after a key, or not after it.
    pub(crate) fn compare(
        &self,
        compiler: &Compiler<'_, '_>,
        place: &Place,
        how: KeyCompare,
        cells: &[Cell],
    ) -> Result<Fragment, Fault> {
        let names = self.names(compiler, place)?;
        let bounds = match self {
            Self::RowNumber(_) => cells.iter().cloned().map(Fragment::value).collect(),
            Self::Fields(fields) => {
                let mut bounds = Vec::with_capacity(fields.len());
                for (name, cell) in fields.iter().zip(cells) {
                    bounds.push(
                        compiler.operand(place, name, |operand| Ok(operand.key_bound(cell)))?,
                    );
                }
                bounds
            }
        };
        if bounds.len() != names.len() {
            return Err(transient("the key of a table changed under way; begin again"));
        }
        Ok(compiler.dialect().key_compare(&names, how, &bounds))
    }
}
