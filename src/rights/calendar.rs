//! Days on which offices work, as Regulation 1182/71 counts them.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

/// The controller's working days: Monday to Friday without public holidays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkingCalendar {
    /// Public holidays of the controller's establishment.
    pub holidays: BTreeSet<Date>,
}

impl WorkingCalendar {
    /// Neither Saturday nor Sunday nor a public holiday.
    pub fn is_working_day(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
            && !self.holidays.contains(&day)
    }

    /// The day itself if it is a working day, else the next one (Regulation 1182/71, article 3(4)).
    pub fn next_working_day(&self, day: Date) -> Date {
        let mut next = day;
        while !self.is_working_day(next) {
            let Ok(tomorrow) = next.tomorrow() else { return next };
            next = tomorrow;
        }
        next
    }

    /// The last of so many working days after a day, which itself does not count.
    pub fn after_working_days(&self, day: Date, count: u32) -> Date {
        let mut last = day;
        for _ in 0..count {
            let Ok(tomorrow) = last.tomorrow() else { return last };
            last = self.next_working_day(tomorrow);
        }
        last
    }
}
