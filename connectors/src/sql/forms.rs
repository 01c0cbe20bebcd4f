//! In how many ways a system may have written one value.
//!
//! A UUID that is kept as text may have capital letters, or no hyphens; SQLite's drivers also write
//! its bytes. A hold that knew one form only would not find the record that it protects.

use crate::receipt::Fault;
use crate::sql::dialect::Dialect;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::values::Operand;
use crate::value::{FieldType, Value};

impl Operand<'_> {
    /// Every form in which the column may hold the value; none where no record could hold it.
    pub(crate) fn forms(&self, value: &Value) -> Result<Vec<Fragment>, Fault> {
        let Some(uuid) = self.loose_uuid(value) else {
            return Ok(self.constant(value)?.into_iter().collect());
        };
        let (hyphenated, simple) = (uuid.hyphenated().to_string(), uuid.simple().to_string());
        let mut texts = vec![hyphenated.to_uppercase(), simple.to_uppercase(), hyphenated, simple];
        // Digits alone have no capitals.
        texts.sort();
        texts.dedup();
        let mut forms = Vec::with_capacity(texts.len() + 1);
        for text in texts {
            if self.dialect == Dialect::Sqlite {
                forms.push(Fragment::text_value(text));
            } else {
                forms.extend(self.constant(&Value::Text(text))?);
            }
        }
        if self.dialect == Dialect::Sqlite {
            forms.push(Fragment::value(Cell::Bytes(uuid.as_bytes().to_vec())));
        }
        Ok(forms)
    }

    /// The UUID of a field whose column does not keep UUIDs as such.
    fn loose_uuid(&self, value: &Value) -> Option<uuid::Uuid> {
        let loose = self.dialect == Dialect::Sqlite || self.column.class == FieldType::Text;
        if self.mapped.field_type != FieldType::Uuid || !loose {
            return None;
        }
        match value {
            Value::Uuid(uuid) => Some(*uuid),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}
