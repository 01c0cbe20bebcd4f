//! `quietus request`: bring a person's request, say who is asking, decide, and look at it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::ColumnConstraint;
use uuid::Uuid;

use super::opening::{read_id, read_moment, say, with_product};
use super::plan_text::new_table;
use super::remark::actor;
use super::request_decisions::{
    DecideArguments, DecisionArguments, FeeArguments, RefuseArguments, decide, fee, refuse,
};
use super::request_input::{Given, read_contact, read_identities};
use super::request_text::{page_text, standing_words};
use super::{FINE, NOT_DONE};
use crate::app::brought::{Brought, BroughtCheck, read_check};
use crate::app::reading::alarms::Pressing;
use crate::app::reading::requests::RequestQuery;
use crate::app::request::{Requester, Taken};
use crate::app::{AppError, Quietus};
use crate::domain::{AskedRight, Assurance, Remark, RequestState};

/// The ground of an objection that nobody weighs.
const DIRECT_MARKETING: &str = "Art. 21(2)";

/// Bring and handle requests of persons.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus request new --right erasure --identities-file - --channel mail --by \"Ada Example\"
  quietus request list --open
  quietus request show 0198…
  quietus request confirm 0198… --assurance substantial --method call-back --reference T-123 --by \"Ada Example\"
  quietus run --once                carry out what is confirmed")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with requests.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring a request of a person.
    New(Box<NewArguments>),
    /// List requests.
    #[command(after_help = "Examples:
  quietus request list --open       those that are not answered yet
  quietus request list --overdue    exit code 1 where there is one
  quietus request list --state ambiguous")]
    List {
        /// Only those that are not closed.
        #[arg(long)]
        open: bool,
        /// Only those that are at risk or late, but within the law's time; exit code 1 where there
        /// is one.
        #[arg(long, conflicts_with_all = ["overdue", "state"])]
        at_risk: bool,
        /// Only those whose last day by law is over; exit code 1 where there is one.
        #[arg(long, conflicts_with = "state")]
        overdue: bool,
        /// Only in this state, such as `identity_pending` or `ambiguous`.
        #[arg(long, value_name = "STATE", value_parser = read_state)]
        state: Option<RequestState>,
        /// How many.
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        limit: u32,
    },
    /// Show one request: what was asked, its dates, its systems, what is kept, its letters.
    #[command(after_help = "Example:
  quietus request show 0198…        never shows what a person is known by, only of which types")]
    Show {
        /// The request.
        #[arg(value_parser = read_id)]
        request: Uuid,
    },
    /// Say that the person was asked who they are: the clock stands, where the law has it so.
    #[command(after_help = "Example:
  quietus request ask-identity 0198… --by \"Ada Example\"")]
    AskIdentity {
        /// The request.
        #[arg(value_parser = read_id)]
        request: Uuid,
        /// Who asked.
        #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
        by: Remark,
    },
    /// Say how somebody made sure who is asking.
    Confirm(ConfirmArguments),
    /// Say which of several persons is meant, by other identities.
    TellApart(TellApartArguments),
    /// The person takes the request back.
    #[command(after_help = "Example:
  quietus request cancel 0198… --reason \"taken back by telephone, T-124\"")]
    Cancel(DecisionArguments),
    /// Refuse a request: one person proposes, another one agrees with the same command.
    #[command(after_help = "Examples:
  quietus request refuse 0198… --reason \"manifestly unfounded, T-125\" --by \"Ada Example\"
  quietus request refuse 0198… --reason \"agreed, T-125\" --by \"Grace Example\"")]
    Refuse(RefuseArguments),
    /// Decide an objection, whose data are restricted until then.
    Decide(DecideArguments),
    /// Charge a fee, or say that it was paid or waived.
    Fee(FeeArguments),
    /// Prolong the time once, within the first period; the person has to be told why.
    #[command(after_help = "Example:
  quietus request extend 0198… --reason \"complex: twelve systems, T-126\"")]
    Extend(DecisionArguments),
    /// Close what a person has carried out: access, rectification, portability.
    #[command(after_help = "Example:
  quietus request close 0198… --reason \"copy was sent by letter, T-127\"")]
    Close(DecisionArguments),
}

/// Bring a request.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus request new --right erasure --identity customer_id=4711 --by \"Ada Example\"
  quietus request new --right erasure --identities-file - --received 2026-11-01T09:00:00+01:00
  quietus request new --right restriction --identities-file person.txt --channel mail --language de
  quietus request new --right erasure --identities-file - --check substantial --method call-back --reference T-123
  quietus request new --right objection --direct-marketing --category marketing.contact --identities-file -

Whoever looks at the shell's history or at the list of processes reads what stands behind
`--identity`. So on shared machines write identities into a file, one `type=value` a line, or
hand them over on standard input with `--identities-file -`.

What you write as a reason, a ground, a method and a name is kept as evidence. Write no e-mail
address, telephone number or IBAN: they are refused.")]
pub struct NewArguments {
    /// `erasure`, `restriction`, `lifting`, `objection`, `access`, `rectification` or
    /// `portability`.
    #[arg(long, value_name = "RIGHT", value_parser = read_right)]
    pub right: AskedRight,
    /// What the person is known by: a type of the data map and its value; may be given several
    /// times. Others can read it in the shell's history: rather use `--identities-file`.
    #[arg(long, value_name = "TYPE=VALUE", required_unless_present = "identities_file")]
    pub identity: Vec<Given>,
    /// Read identities from this file, one `type=value` a line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub identities_file: Option<PathBuf>,
    /// When the person asked: a day or an instant; now if nothing is said. The law's clock starts
    /// there.
    #[arg(long, value_name = "DAY OR INSTANT")]
    pub received: Option<String>,
    /// By which way it came, such as `web`, `mail` or `phone`.
    #[arg(long, value_name = "WORD")]
    pub channel: Option<String>,
    /// Who asks.
    #[arg(long, value_enum, default_value_t = RequesterWord::Person)]
    pub requester: RequesterWord,
    /// On what ground, such as `Art. 17(1)(b)`.
    #[arg(long, value_name = "GROUND")]
    pub ground: Option<Remark>,
    /// An objection to direct marketing: nothing is weighed, and the categories that serve it are
    /// erased at once. The same as `--ground "Art. 21(2)"`.
    #[arg(long, conflicts_with = "ground", requires = "category")]
    pub direct_marketing: bool,
    /// Under which law, such as `gdpr`; that of the instance file if nothing is said.
    #[arg(long, value_name = "LAW")]
    pub regime: Option<String>,
    /// Language of the letters, such as `de`; English if nothing is said.
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
    /// Only this data category; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub category: Vec<String>,
    /// Read from this file where letters go; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub contact_file: Option<PathBuf>,
    /// How sure it is already who asks.
    #[arg(long, value_enum, value_name = "ASSURANCE", requires = "method")]
    pub check: Option<AssuranceWord>,
    /// With `--check`: how somebody made sure, in a word.
    #[arg(long, value_name = "WORD", requires = "check")]
    pub method: Option<Remark>,
    /// With `--check`: where that is on record; never a copy of a document.
    #[arg(long, value_name = "NUMBER", requires = "check")]
    pub reference: Option<Remark>,
    /// Who types it in.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Say how somebody made sure who is asking.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus request confirm 0198… --assurance substantial --method call-back --reference T-123
  quietus request confirm 0198… --assurance high --method eid --by \"Ada Example\"")]
pub struct ConfirmArguments {
    /// The request.
    #[arg(value_parser = read_id)]
    pub request: Uuid,
    /// How sure it is.
    #[arg(long, value_enum)]
    pub assurance: AssuranceWord,
    /// How, in a word (`login`, `call-back`, `eid`).
    #[arg(long, value_name = "WORD")]
    pub method: Remark,
    /// Where it is on record, such as the number of a ticket; never a copy of a document.
    #[arg(long, value_name = "NUMBER")]
    pub reference: Option<Remark>,
    /// Who made sure.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Say which of several persons is meant.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quietus request tell-apart 0198… --identity customer_id=4711 --by \"Ada Example\"
  quietus request tell-apart 0198… --identities-file -

These identities take the place of those that were given before. On shared machines use
`--identities-file`, so that they do not stand in the shell's history.")]
pub struct TellApartArguments {
    /// The request.
    #[arg(value_parser = read_id)]
    pub request: Uuid,
    /// What only this person is known by; may be given several times.
    #[arg(long, value_name = "TYPE=VALUE", required_unless_present = "identities_file")]
    pub identity: Vec<Given>,
    /// Read identities from this file, one `type=value` a line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub identities_file: Option<PathBuf>,
    /// Who says so.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
}

/// Who asks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RequesterWord {
    /// The person.
    Person,
    /// Whoever has parental responsibility or guardianship.
    Guardian,
    /// A close relative of somebody who died.
    Relative,
    /// An authorised agent.
    Agent,
}

impl From<RequesterWord> for Requester {
    fn from(word: RequesterWord) -> Self {
        match word {
            RequesterWord::Person => Self::Person,
            RequesterWord::Guardian => Self::Guardian,
            RequesterWord::Relative => Self::Relative,
            RequesterWord::Agent => Self::Agent,
        }
    }
}

/// How sure it is who asks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum AssuranceWord {
    /// They said so, or answered from an address that is known.
    Low,
    /// Something that only they have or know was checked.
    Substantial,
    /// A document or an electronic identity was checked.
    High,
}

impl From<AssuranceWord> for Assurance {
    fn from(word: AssuranceWord) -> Self {
        match word {
            AssuranceWord::Low => Self::Low,
            AssuranceWord::Substantial => Self::Substantial,
            AssuranceWord::High => Self::High,
        }
    }
}

fn read_right(text: &str) -> Result<AskedRight, &'static str> {
    AskedRight::parse(text).ok_or(
        "write `erasure`, `restriction`, `lifting`, `objection`, `access`, `rectification` or `portability`",
    )
}

fn read_state(text: &str) -> Result<RequestState, &'static str> {
    RequestState::parse(text).ok_or(
        "write `identity_pending`, `cooling_off`, `ready`, `ambiguous`, `with_a_person`, `executing` or `closed`",
    )
}

/// Runs the command.
pub async fn run(arguments: &Arguments, folder: &Path) -> u8 {
    with_product(folder, async |product| match &arguments.command {
        Command::New(new) => bring(product, new).await,
        Command::List { open, at_risk, overdue, state, limit } => {
            let pressing = at_risk.then_some(Pressing::AtRisk);
            let pressing = pressing.or(overdue.then_some(Pressing::Overdue));
            list(product, (*open, pressing), *state, *limit).await
        }
        Command::Show { request } => show(product, *request).await,
        other => handle(product, other).await,
    })
    .await
}

async fn bring(product: &Arc<Quietus>, new: &NewArguments) -> Result<u8, AppError> {
    let dash = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if dash(&new.identities_file) && dash(&new.contact_file) {
        return Err(AppError::Input(
            "standard input holds either identities or the address for letters: write one of them into a file".to_owned(),
        ));
    }
    let received = new.received.as_deref().map(|text| read_moment(text, product.zone()));
    let check = new.check.zip(new.method.clone()).map(|(assurance, method)| BroughtCheck {
        assurance: assurance.into(),
        method: method.into(),
        reference: new.reference.clone().map(Into::into),
    });
    let brought = Brought {
        right: new.right.as_str().to_owned(),
        identities: read_identities(&new.identity, new.identities_file.as_deref())?,
        received_at: received.transpose()?,
        channel: new.channel.clone(),
        requester: new.requester.into(),
        ground: match &new.ground {
            None => new.direct_marketing.then(|| DIRECT_MARKETING.to_owned()),
            Some(ground) => Some(ground.to_string()),
        },
        regime: new.regime.clone(),
        language: new.language.clone(),
        categories: new.category.clone(),
        contact: new.contact_file.as_deref().map(read_contact).transpose()?,
        check,
        external_id: None,
    };
    let taken = product.take_in(product.read_brought(brought, actor(&new.by))?).await?;
    product.advance_log().await?;
    match taken {
        Taken::New(request) | Taken::Same(request) => show(product, request.stored.id).await,
        Taken::UnderWay(earlier) => Err(AppError::Input(format!(
            "this person asks for the same in request `{earlier}`, which is under way: see `quietus request show {earlier}`"
        ))),
    }
}

async fn list(
    product: &Arc<Quietus>,
    (open, pressing): (bool, Option<Pressing>),
    state: Option<RequestState>,
    limit: u32,
) -> Result<u8, AppError> {
    let state = state.map(|state| state.as_str().to_owned());
    let query = RequestQuery { state, open, pressing, before: None, limit: Some(limit) };
    let found = product.read_requests(query).await?;
    if found.requests.is_empty() {
        say(match pressing {
            Some(_) => "no such request: nothing presses",
            None => "no such request: `quietus request new` brings one",
        });
        return Ok(FINE);
    }
    let mut table = new_table(&["request", "received", "asks for", "state", "answer by", "stands"]);
    // An identifier is to be copied, so it stays on one line.
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for one in &found.requests {
        let outcome = one.outcome.map_or_else(String::new, |outcome| format!(", {outcome}"));
        table.add_row([
            one.id.to_string(),
            product.zone().to_datetime(one.received_at).date().to_string(),
            one.asked.to_string(),
            format!("{}{outcome}", one.state),
            one.clock.deadlines.answer_by.to_string(),
            standing_words(&one.clock),
        ]);
    }
    say(table);
    if found.more {
        say("there are more: ask for more with `--limit`");
    }
    // What was asked for is that nothing presses.
    Ok(if pressing.is_some() { NOT_DONE } else { FINE })
}

/// Prints the page of a request.
///
/// # Errors
/// Where there is no such request or the store is not there.
pub async fn show(product: &Arc<Quietus>, id: Uuid) -> Result<u8, AppError> {
    let page = product.read_request(id).await?.ok_or_else(|| {
        AppError::Input(format!("there is no request `{id}`: see `quietus request list`"))
    })?;
    say(page_text(&page, product.zone()).trim_end());
    Ok(FINE)
}

/// What changes a request that is on record.
async fn handle(product: &Arc<Quietus>, command: &Command) -> Result<u8, AppError> {
    let id = match command {
        Command::AskIdentity { request, by } => {
            product.ask_identity(*request, &actor(by)).await?.stored.id
        }
        Command::Confirm(one) => {
            let check = read_check(BroughtCheck {
                assurance: one.assurance.into(),
                method: one.method.to_string(),
                reference: one.reference.clone().map(Into::into),
            })?;
            product.confirm_identity(one.request, check, &actor(&one.by)).await?.stored.id
        }
        Command::TellApart(one) => {
            let given = read_identities(&one.identity, one.identities_file.as_deref())?;
            product.check_identities(&given)?;
            product.tell_apart(one.request, &given, &actor(&one.by)).await?.stored.id
        }
        Command::Cancel(one) => {
            let (by, reason) = (actor(&one.by), one.reason.as_str());
            product.cancel_request(one.request, &by, reason).await?.stored.id
        }
        Command::Extend(one) => {
            let (by, reason) = (actor(&one.by), one.reason.as_str());
            product.extend_request(one.request, &by, reason).await?.stored.id
        }
        Command::Close(one) => {
            let (by, reason) = (actor(&one.by), one.reason.as_str());
            product.close_request(one.request, &by, reason).await?.stored.id
        }
        Command::Refuse(one) => return refuse(product, one).await,
        Command::Decide(one) => return decide(product, one).await,
        Command::Fee(one) => return fee(product, one).await,
        Command::New(_) | Command::List { .. } | Command::Show { .. } => return Ok(FINE),
    };
    product.advance_log().await?;
    show(product, id).await
}
