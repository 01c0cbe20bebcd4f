//! How a replica speaks to a database in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use quietus_connectors::{
    Answer, CanarySight, Capabilities, Connector, Counts, Direction, Fault, Health, Instruction,
    JointProgress, LookedAt, Order, Outcome, Predicate, ProbeCount, Progress, ProgressReport,
    Question, Receipt, Record, RefusalKind, Schema, Survivor, Together, Value, Verification,
};

use super::conditions::holds;
use super::database::{Chunk, Content, Database, is_held, is_restricted, to_restrict};
use super::estate::place;
use super::journal::{Deed, Row, Under, job_of};
use super::mutation::Mutation;
use super::senses::Senses;

/// A connection of one replica.
pub struct DatabaseConnector {
    /// To whom.
    pub database: Arc<Database>,
    /// Of whom.
    pub senses: Arc<Senses>,
    /// What is wrong with the product.
    pub mutation: Option<Mutation>,
}

/// Counts records of an instruction for which something holds.
fn count(content: &Content, place: usize, which: impl Fn(&Row) -> bool) -> u64 {
    content.rows.values().filter(|row| row.place == place && which(row)).count() as u64
}

fn too_many(done: Outcome) -> Receipt {
    let reasons = vec!["it would be more records than the order allows".to_owned()];
    Receipt::Refused { kind: RefusalKind::OverLimit, reasons, done }
}

impl DatabaseConnector {
    /// Somebody asks; a place at which the replica may die.
    fn asked(&self, order: Option<&Order>) -> Result<(), Fault> {
        self.senses.touch();
        if !self.database.is_down() {
            return Ok(());
        }
        let mut message = format!("`{}` does not answer", self.database.name);
        if self.mutation == Some(Mutation::FaultTalks)
            && let Some(order) = order
            && let Some(named) = order.lists.iter().flat_map(|list| &list.entries).flatten().next()
            && let Value::Text(text) = named
        {
            message = format!("{message}: it was asked about {text}");
        }
        Err(Fault::Transient { message, retry_after_ms: None })
    }

    fn mutated(&self, order: &Order) -> Order {
        self.mutation.map_or_else(|| order.clone(), |mutation| mutation.order(order))
    }

    fn counts(&self, order: &Order, one: &Instruction, content: &Content) -> ProbeCount {
        let number = place(self.database.name, &one.collection);
        let due = |row: &Row| holds(&one.delete_when, &row.values, &order.lists);
        let held = |row: &Row| is_held(one, order, row);
        let restricts = |row: &Row| to_restrict(one, order, row) && !is_restricted(one, row);
        let acts = !one.keep;
        let probes = one.probes.iter().map(|probe| {
            let counted =
                count(content, number, |row| holds(&probe.predicate, &row.values, &order.lists));
            (probe.name.clone(), counted)
        });
        let treated = one.treatments.iter().map(|treatment| {
            let pending = |row: &Row| {
                acts && holds(&treatment.due, &row.values, &order.lists) && !due(row) && !held(row)
            };
            (treatment.category.clone(), count(content, number, pending))
        });
        ProbeCount {
            collection: one.collection.clone(),
            total: count(content, number, |_| true),
            own: one
                .records_of_persons()
                .map(|own| count(content, number, |row| holds(own, &row.values, &order.lists))),
            delete: count(content, number, |row| acts && due(row) && !held(row)),
            treat: treated.collect(),
            restrict: count(content, number, |row| {
                acts && restricts(row) && !due(row) && !held(row)
            }),
            lift: 0,
            referenced: BTreeMap::new(),
            held: count(content, number, |row| acts && held(row) && (due(row) || restricts(row))),
            probes: probes.collect(),
            at_most: false,
        }
    }

    fn look(&self, order: &Order, one: &Instruction, content: &Content, into: &mut Verification) {
        let number = place(self.database.name, &one.collection);
        let own = one.records_of_persons().unwrap_or(&Predicate::Always);
        let left = count(content, number, |row| holds(own, &row.values, &order.lists));
        into.left.insert(one.collection.clone(), left);
        if one.keep {
            return;
        }
        let mut add = |category: Option<&str>, which: &dyn Fn(&Row) -> bool| {
            let (collection, category) = (one.collection.clone(), category.map(str::to_owned));
            let records = count(content, number, |row| !is_held(one, order, row) && which(row));
            let at = LookedAt { collection: collection.clone(), category: category.clone() };
            if !into.looked_at.contains(&at) {
                into.looked_at.push(at);
            }
            if records > 0 {
                into.survivors.push(Survivor { collection, category, records });
            }
        };
        let says = |condition, row: &Row| holds(condition, &row.values, &order.lists);
        if one.delete_when != Predicate::Never {
            add(None, &|row| says(&one.delete_when, row));
        }
        for treatment in &one.treatments {
            // A record whose one category is due goes as a whole, so whoever is left still has it.
            add(Some(&treatment.category), &|row| says(&treatment.due, row));
        }
        if one.restriction.is_some() && one.restrict_when != Predicate::Never {
            add(Some("restriction"), &|row| {
                to_restrict(one, order, row) && !is_restricted(one, row)
            });
        }
    }

    async fn chunks(
        &self,
        order: &Order,
        mut under: Under,
        progress: Option<&dyn Progress>,
    ) -> Result<Receipt, Fault> {
        loop {
            self.senses.stride().await;
            let (done, collection) = match self.database.chunk(order, &under, self.mutation)? {
                Chunk::Finished(done) => return Ok(Receipt::Done(done)),
                Chunk::TooMany(done) => return Ok(too_many(done)),
                Chunk::Committed(done, collection) => (done, collection),
            };
            self.senses.touch();
            let Some(progress) = progress else { continue };
            let report = ProgressReport { collection, done: &done, records_per_second: 0 };
            let stops = progress.committed(report).await == Direction::Stop;
            if stops {
                return Ok(Receipt::Stopped(done));
            }
            under.begun = self.database.journal.tick();
        }
    }

    async fn chunks_together(
        &self,
        orders: &[Order],
        (mut unders, mut done): (Vec<Under>, Vec<Outcome>),
        progress: Option<&dyn JointProgress>,
    ) -> Result<Vec<Receipt>, Fault> {
        let mut receipts: Vec<Option<Receipt>> = vec![None; orders.len()];
        loop {
            self.senses.stride().await;
            let open: Vec<usize> =
                (0..orders.len()).filter(|&one| receipts[one].is_none()).collect();
            for one in open {
                match self.database.chunk(&orders[one], &unders[one], self.mutation)? {
                    Chunk::Finished(all) => receipts[one] = Some(Receipt::Done(all)),
                    Chunk::TooMany(all) => receipts[one] = Some(too_many(all)),
                    Chunk::Committed(all, _) => done[one] = all,
                }
            }
            if receipts.iter().all(Option::is_some) {
                return Ok(receipts.into_iter().flatten().collect());
            }
            self.senses.touch();
            let Some(progress) = progress else { continue };
            let stops = progress.committed(&done).await == Direction::Stop;
            if stops {
                let each = receipts.into_iter().zip(done);
                let each = each.map(|(one, done)| one.unwrap_or(Receipt::Stopped(done)));
                return Ok(each.collect());
            }
            let begun = self.database.journal.tick();
            for under in &mut unders {
                under.begun = begun;
            }
        }
    }

    /// The answer to what was carried out is lost.
    fn lost(&self) -> Fault {
        let message = format!("`{}` closed the connection", self.database.name);
        Fault::Unknown { message }
    }
}

#[async_trait]
impl Connector for DatabaseConnector {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "sqlite".to_owned(),
            erasure_grade: "deleted".to_owned(),
            residues: Vec::new(),
            can_verify: true,
            identities: Vec::new(),
        }
    }

    async fn check(&self, order: &Order) -> Result<Health, Fault> {
        self.asked(Some(order))?;
        Ok(Health { product: "memory".to_owned(), ..Health::default() })
    }

    async fn describe(&self) -> Result<Schema, Fault> {
        self.asked(None)?;
        Ok(Schema { product: "memory".to_owned(), ..Schema::default() })
    }

    async fn preview(&self, order: &Order) -> Result<Counts, Fault> {
        self.senses.stride().await;
        self.asked(Some(order))?;
        let order = self.mutated(order);
        let counted = |content: &Content| {
            order.instructions.iter().map(|one| self.counts(&order, one, content)).collect()
        };
        Ok(Counts { collections: self.database.read(counted), ..Counts::default() })
    }

    async fn resolve(&self, order: &Order, questions: &[Question]) -> Result<Vec<Answer>, Fault> {
        self.asked(Some(order))?;
        Ok(self.database.read(|content| {
            let answer = |question: &Question| {
                let number = place(self.database.name, &question.collection);
                let found = content.rows.values().filter(|row| {
                    row.place == number && holds(&question.predicate, &row.values, &order.lists)
                });
                let fields = |row: &Row| -> Record {
                    let names = question.fields.iter().map(|field| field.field.clone());
                    names
                        .filter_map(|name| Some((name.clone(), row.values.get(&name)?.clone())))
                        .collect()
                };
                let records: Vec<Record> = found.map(fields).collect();
                assert!(records.len() <= question.most as usize);
                Answer { collection: question.collection.clone(), records, more: false }
            };
            questions.iter().map(answer).collect()
        }))
    }

    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault> {
        self.asked(Some(order))?;
        let order = self.mutated(order);
        assert!(order.instructions.iter().all(|one| !one.manifest), "nobody asks for a manifest");
        // The way to the system may be long.
        self.senses.stride().await;
        let (done, finished) = self.database.take_over(&order)?;
        let mut under = self.database.journal.under(&order);
        self.database.journal.write(Deed::Called(under.clone()));
        if finished {
            return Ok(Receipt::Done(done));
        }
        if progress.before_sending().await == Direction::Stop {
            return Ok(Receipt::Stopped(done));
        }
        under.begun = self.database.journal.tick();
        if self.database.once(|faults| &mut faults.lose_answers) {
            self.chunks(&order, under, None).await?;
            return Err(self.lost());
        }
        self.chunks(&order, under, Some(progress)).await
    }

    async fn execute_together(
        &self,
        orders: &[Order],
        progress: &dyn JointProgress,
    ) -> Result<Together, Fault> {
        self.asked(orders.first())?;
        let orders: Vec<Order> = orders.iter().map(|order| self.mutated(order)).collect();
        self.senses.stride().await;
        let (mut unders, mut done) = (Vec::new(), Vec::new());
        for order in &orders {
            done.push(self.database.take_over(order)?.0);
            unders.push(self.database.journal.under(order));
        }
        for under in &unders {
            self.database.journal.write(Deed::Called(under.clone()));
        }
        let which: Vec<usize> = (0..orders.len()).collect();
        if progress.before_sending(&which).await.contains(&Direction::Stop) {
            return Ok(Together::Receipts(done.into_iter().map(Receipt::Stopped).collect()));
        }
        let begun = self.database.journal.tick();
        for under in &mut unders {
            under.begun = begun;
        }
        if self.database.once(|faults| &mut faults.lose_answers) {
            self.chunks_together(&orders, (unders, done), None).await?;
            return Err(self.lost());
        }
        let receipts = self.chunks_together(&orders, (unders, done), Some(progress)).await?;
        Ok(Together::Receipts(receipts))
    }

    async fn verify(&self, order: &Order) -> Result<Verification, Fault> {
        self.asked(Some(order))?;
        if self.database.once(|faults| &mut faults.blind) {
            let message = "the second look was cut off".to_owned();
            return Err(Fault::Transient { message, retry_after_ms: None });
        }
        let order = self.mutated(order);
        let mut found =
            Verification { method: "counted in memory".to_owned(), ..Default::default() };
        self.database.read(|content| {
            order.instructions.iter().for_each(|one| self.look(&order, one, content, &mut found));
        });
        self.database.journal.write(Deed::Looked(self.database.name, job_of(&order.key)));
        self.senses.stride().await;
        Ok(found)
    }

    async fn forget(&self, order_key: &str) -> Result<(), Fault> {
        self.senses.stride().await;
        self.asked(None)?;
        self.database.forget(order_key);
        Ok(())
    }

    async fn canary(&self, name: &str) -> Result<CanarySight, Fault> {
        self.asked(None)?;
        Ok(self.database.canary(name).map_or(CanarySight::Missing, CanarySight::Seen))
    }

    async fn set_canary(&self, name: &str, number: u64, at: Timestamp) -> Result<(), Fault> {
        self.asked(None)?;
        self.database.set_canary(name, number, at);
        Ok(())
    }
}
