//! Laws: what must hold afterwards, each with what was found where it does not.

/// What was found of each law.
#[derive(Debug, Default)]
pub struct Laws {
    found: Vec<(String, Option<String>)>,
}

impl Laws {
    /// Whether a law holds; `found` says what is there instead.
    pub fn hold(&mut self, law: impl Into<String>, holds: bool, found: impl std::fmt::Display) {
        self.found.push((law.into(), (!holds).then(|| found.to_string())));
    }

    /// A law that asks for one number.
    pub fn equal(&mut self, law: impl Into<String>, found: i64, expected: i64) {
        self.hold(law, found == expected, format!("{found}, and not {expected}"));
    }

    /// The laws of another part of the run, with its name before each.
    pub fn take(&mut self, part: &str, other: Self) {
        let named = other.found.into_iter().map(|(law, found)| (format!("{part}: {law}"), found));
        self.found.extend(named);
    }

    /// Whether none was broken.
    pub fn all_held(&self) -> bool {
        self.found.iter().all(|(_, broken)| broken.is_none())
    }

    /// Says which held and which were broken.
    pub fn print(&self) {
        println!();
        for (law, broken) in &self.found {
            match broken {
                None => println!("held    {law}"),
                Some(found) => println!("BROKEN  {law}: {found}"),
            }
        }
        let broken = self.found.iter().filter(|(_, broken)| broken.is_some()).count();
        println!("{} laws, {broken} broken", self.found.len());
    }
}
