//! Asking one system about many people: in one question as long as it answers, and about fewer where
//! it does not, so that nobody is in anybody's way.

use std::collections::BTreeSet;
use std::ops::Range;

use async_trait::async_trait;
use quietus_connectors::{Answer, Fault};

/// Who is asked, about people by their places.
#[async_trait]
pub(super) trait Asks: Send + Sync {
    /// One question about these; what is answered about each.
    async fn ask(&self, range: Range<usize>) -> Result<Vec<Vec<Answer>>, Fault>;
}

/// What is answered about each of so many people, asked one by one where answers about several
/// cannot be shared out. Where an answer was cut off they are asked again about fewer; where there
/// was none, about one first, to know whether it is the system that does not answer or the question
/// about so many.
pub(super) async fn ask_in_parts(
    system: &dyn Asks,
    people: usize,
    together: bool,
) -> Vec<Result<Vec<Answer>, Fault>> {
    let nobody = || Fault::Unknown { message: "it was not asked".to_owned() };
    let mut answers: Vec<Result<Vec<Answer>, Fault>> = (0..people).map(|_| Err(nobody())).collect();
    let at_once = if together { people.max(1) } else { 1 };
    let mut waiting: Vec<Range<usize>> =
        (0..people).step_by(at_once).rev().map(|one| one..one + at_once).collect();
    while let Some(range) = waiting.pop() {
        let many = range.len() > 1;
        let fault = match system.ask(range.clone()).await {
            Ok(shares) if many && shares.iter().flatten().any(|answer| answer.more) => {
                waiting.extend(halves(range));
                continue;
            }
            Ok(shares) => {
                for (answer, share) in answers[range].iter_mut().zip(shares) {
                    *answer = Ok(share);
                }
                continue;
            }
            Err(fault) => fault,
        };
        let of_the_system = if many { is_at_fault(system, &range, &fault).await } else { None };
        if many && of_the_system.is_none() {
            waiting.extend(halves(range));
            continue;
        }
        let fault = of_the_system.unwrap_or(fault);
        answers[range].fill(Err(fault.clone()));
        // Who is not there for some is not there for the others, and the wait for each of them would
        // keep all requests waiting.
        if is_not_there(&fault) {
            for range in waiting.drain(..) {
                answers[range].fill(Err(fault.clone()));
            }
        }
    }
    answers
}

/// A question about many had no answer. Its fault, where it is that of the system: a question about
/// the first of them alone has no answer either, nor, where the system says no, have those about the
/// last one and one in the middle.
async fn is_at_fault(system: &dyn Asks, many: &Range<usize>, fault: &Fault) -> Option<Fault> {
    let last = many.end - 1;
    for place in BTreeSet::from([many.start, many.start + (many.len() - 1) / 2, last]) {
        match system.ask(place..place + 1).await {
            Ok(_) => return None,
            Err(again) if is_not_there(&again) => return Some(again),
            // A no for a reason of its own.
            Err(again) if again != *fault => return None,
            Err(_) => {}
        }
    }
    Some(fault.clone())
}

/// Nobody answers now, whoever is asked about.
fn is_not_there(fault: &Fault) -> bool {
    matches!(fault, Fault::Transient { .. } | Fault::Unknown { .. })
}

/// The first half is asked about first.
fn halves(range: Range<usize>) -> [Range<usize>; 2] {
    let middle = range.start + range.len() / 2;
    [middle..range.end, range.start..middle]
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A system that answers by a rule, and how often it was asked.
    struct Fake<Rule> {
        rule: Rule,
        asked: Mutex<Vec<Range<usize>>>,
    }

    #[async_trait]
    impl<Rule> Asks for Fake<Rule>
    where
        Rule: Fn(&Range<usize>) -> Result<bool, Fault> + Send + Sync,
    {
        async fn ask(&self, range: Range<usize>) -> Result<Vec<Vec<Answer>>, Fault> {
            self.asked.lock().unwrap().push(range.clone());
            let more = (self.rule)(&range)?;
            let collection = "people".to_owned();
            let answer = Answer { collection, records: Vec::new(), more };
            Ok(range.map(|_| vec![answer.clone()]).collect())
        }
    }

    async fn asked(
        rule: impl Fn(&Range<usize>) -> Result<bool, Fault> + Send + Sync,
    ) -> (Vec<Result<Vec<Answer>, Fault>>, usize) {
        let fake = Fake { rule, asked: Mutex::default() };
        let answers = ask_in_parts(&fake, 200, true).await;
        let asked = fake.asked.lock().unwrap().len();
        (answers, asked)
    }

    fn no(message: &str) -> Fault {
        Fault::Misconfigured { message: message.to_owned() }
    }

    fn late() -> Fault {
        Fault::Transient { message: "it took too long".to_owned(), retry_after_ms: None }
    }

    #[tokio::test]
    async fn a_system_that_says_no_to_everybody_is_not_asked_about_each() {
        let (answers, times) = asked(|_| Err(no("the privilege is missing"))).await;
        assert_eq!(times, 4, "about all, and about three");
        assert!(answers.iter().all(|one| *one == Err(no("the privilege is missing"))));
    }

    #[tokio::test]
    async fn one_person_who_is_refused_is_in_nobodys_way() {
        for spoiler in [0, 99, 137, 199] {
            let rule = |range: &Range<usize>| {
                if range.contains(&spoiler) { Err(no("out of range")) } else { Ok(false) }
            };
            let (answers, times) = asked(rule).await;
            for (place, answer) in answers.iter().enumerate() {
                assert_eq!(answer.is_err(), place == spoiler, "{place} of {spoiler}");
            }
            assert!(times < 60, "{times} questions");
        }
    }

    #[tokio::test]
    async fn a_question_about_too_many_is_asked_about_fewer() {
        let (answers, times) =
            asked(|range| if range.len() > 60 { Err(late()) } else { Ok(false) }).await;
        assert!(answers.iter().all(Result::is_ok));
        assert!(times < 15, "{times} questions");
        let (answers, times) = asked(|range| Ok(range.len() > 60)).await;
        assert!(answers.iter().flatten().flatten().all(|answer| !answer.more));
        assert_eq!(times, 7, "one, two, and four that are answered");
    }

    #[tokio::test]
    async fn a_system_that_is_not_there_is_waited_for_twice() {
        let (answers, times) = asked(|_| Err(late())).await;
        assert_eq!(times, 2, "about all, and about one");
        assert!(answers.iter().all(|one| *one == Err(late())));
    }
}
