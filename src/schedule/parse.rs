//! Reads conditions. The language is our own and small, so that every system answers it alike: no
//! function, no pattern, no arithmetic, and never a system's own query language.
//!
//! `or` binds weakest, then `and`, then `not`; errors name the column.

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::Comparison;

use super::condition::{Condition, Literal};

/// No condition is longer than this, in bytes.
pub const MOST_BYTES: usize = 4_096;
/// No condition nests deeper than this.
pub const MOST_DEPTH: usize = 32;
/// No list of constants is longer than this.
pub const MOST_LITERALS: usize = 1_000;

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}; {help}")]
pub struct ConditionError {
    /// Where, in characters from 1.
    pub column: usize,
    /// How much of the text is meant, in bytes.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Condition {
    /// Reads a condition such as `country = "DE" and not (status in ["open", "new"])`.
    ///
    /// # Errors
    /// Where the text is no condition or exceeds a bound.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        if text.len() > MOST_BYTES {
            return Err(ConditionError {
                column: 1,
                length: 0,
                message: format!("the condition is longer than {MOST_BYTES} bytes"),
                help: "split the rule into several, or give the system a field to ask".to_owned(),
            });
        }
        let mut parser = Parser { tokens: lex(text)?, next: 0, depth: 0 };
        let condition = parser.expression(0)?;
        match parser.peek() {
            Token { kind: Kind::End, .. } => Ok(condition),
            other => Err(other.error(
                format!("expected `and`, `or` or the end, found {}", other.kind.name()),
                "join conditions by `and` or `or`",
            )),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Name(String),
    Word(&'static str),
    Literal(Literal),
    Sign(Comparison),
    Open,
    Close,
    ListOpen,
    ListClose,
    Comma,
    End,
}

impl Kind {
    fn name(&self) -> String {
        match self {
            Self::Name(name) => format!("`{name}`"),
            Self::Word(word) => format!("`{word}`"),
            Self::Literal(Literal::Text(_)) => "a text".to_owned(),
            Self::Literal(literal) => format!("`{literal}`"),
            Self::Sign(_) => "a comparison".to_owned(),
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::ListOpen => "`[`".to_owned(),
            Self::ListClose => "`]`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    column: usize,
    length: usize,
}

impl Token {
    fn error(&self, message: impl Into<String>, help: impl Into<String>) -> ConditionError {
        ConditionError {
            column: self.column,
            length: self.length,
            message: message.into(),
            help: help.into(),
        }
    }
}

const WORDS: [&str; 6] = ["and", "or", "not", "in", "is", "null"];

fn lex(text: &str) -> Result<Vec<Token>, ConditionError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
            column += 1;
            continue;
        }
        let mut token = Token { kind: Kind::End, column, length: first.len_utf8() };
        let (kind, length) = one_token(rest, first, &token)?;
        token.kind = kind;
        token.length = length;
        let (read, unread) = rest.split_at(length);
        column += read.chars().count();
        rest = unread;
        tokens.push(token);
    }
    tokens.push(Token { kind: Kind::End, column, length: 0 });
    Ok(tokens)
}

/// The first token of `rest` and its length in bytes.
fn one_token(rest: &str, first: char, at: &Token) -> Result<(Kind, usize), ConditionError> {
    let second = rest[first.len_utf8()..].chars().next();
    let simple = match (first, second) {
        ('(', _) => Some((Kind::Open, 1)),
        (')', _) => Some((Kind::Close, 1)),
        ('[', _) => Some((Kind::ListOpen, 1)),
        (']', _) => Some((Kind::ListClose, 1)),
        (',', _) => Some((Kind::Comma, 1)),
        ('!', Some('=')) | ('<', Some('>')) => Some((Kind::Sign(Comparison::NotEqual), 2)),
        ('<', Some('=')) => Some((Kind::Sign(Comparison::LessOrEqual), 2)),
        ('>', Some('=')) => Some((Kind::Sign(Comparison::GreaterOrEqual), 2)),
        ('=', Some('=')) => Some((Kind::Sign(Comparison::Equal), 2)),
        ('=', _) => Some((Kind::Sign(Comparison::Equal), 1)),
        ('<', _) => Some((Kind::Sign(Comparison::Less), 1)),
        ('>', _) => Some((Kind::Sign(Comparison::Greater), 1)),
        _ => None,
    };
    if let Some(found) = simple {
        return Ok(found);
    }
    let number = first.is_ascii_digit()
        || (first == '-' && second.is_some_and(|second| second.is_ascii_digit()));
    if first == '"' {
        lex_text(rest, at)
    } else if number {
        lex_number(rest, at)
    } else if first.is_alphabetic() || first == '_' {
        lex_word(rest, at)
    } else if first == '\'' {
        Err(at.error("text stands in double quotes here", "write `\"…\"` instead of `'…'`"))
    } else {
        Err(at.error(
            format!("`{first}` means nothing here"),
            "write conditions such as `country = \"DE\"`, `amount >= 10` or `closed_at is null`",
        ))
    }
}

fn lex_text(rest: &str, at: &Token) -> Result<(Kind, usize), ConditionError> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Ok((Kind::Literal(Literal::Text(text)), index + 1)),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                _ => {
                    return Err(at.error(
                        "`\\` stands only before `\"` and `\\`",
                        "write `\\\\` for one backslash",
                    ));
                }
            },
            other => text.push(other),
        }
    }
    Err(at.error("this text does not end", "close it by `\"`"))
}

fn lex_number(rest: &str, at: &Token) -> Result<(Kind, usize), ConditionError> {
    let length = rest
        .char_indices()
        .find(|(index, one)| {
            let inside = one.is_ascii_alphanumeric() || matches!(one, '.' | ':' | '+' | '-' | '_');
            *index > 0 && !inside
        })
        .map_or(rest.len(), |(index, _)| index);
    let text = &rest[..length];
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = |digits: &str| !digits.is_empty() && digits.bytes().all(|one| one.is_ascii_digit());
    let literal = if whole(digits) {
        text.parse().ok().map(Literal::Integer)
    } else if digits.split_once('.').is_some_and(|(left, right)| whole(left) && whole(right)) {
        Some(Literal::Decimal(text.to_owned()))
    } else if text.len() == 10 {
        text.parse::<Date>().ok().map(Literal::Date)
    } else {
        text.parse::<Timestamp>().ok().map(Literal::Timestamp)
    };
    literal.map(|literal| (Kind::Literal(literal), length)).ok_or_else(|| {
        let token = Token { length, ..at.clone() };
        token.error(
            format!("`{text}` is no number, day or moment"),
            "write `7`, `7.5`, `2026-12-24` or `2026-12-24T12:00:00Z`; text stands in double quotes",
        )
    })
}

fn lex_word(rest: &str, at: &Token) -> Result<(Kind, usize), ConditionError> {
    let length = rest
        .char_indices()
        .find(|(_, one)| !(one.is_alphanumeric() || matches!(one, '_' | '.' | '-')))
        .map_or(rest.len(), |(index, _)| index);
    let text = &rest[..length];
    let lower = text.to_lowercase();
    if let Some(word) = WORDS.iter().find(|word| **word == lower) {
        if lower == text {
            return Ok((Kind::Word(word), length));
        }
        let token = Token { length, ..at.clone() };
        return Err(token.error(format!("`{text}` is written `{word}`"), "write it in lower case"));
    }
    match text {
        "true" => Ok((Kind::Literal(Literal::Boolean(true)), length)),
        "false" => Ok((Kind::Literal(Literal::Boolean(false)), length)),
        _ => Ok((Kind::Name(text.to_owned()), length)),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Token {
        let end = Token { kind: Kind::End, column: 1, length: 0 };
        self.tokens.get(self.next).or(self.tokens.last()).cloned().unwrap_or(end)
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn takes(&mut self, kind: &Kind) -> bool {
        let same = self.peek().kind == *kind;
        self.next += usize::from(same);
        same
    }

    /// Reads while operators bind at least as strongly as `least`: 0 is `or`, 1 is `and`.
    fn expression(&mut self, least: u8) -> Result<Condition, ConditionError> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(self
                .peek()
                .error(format!("more than {MOST_DEPTH} levels of brackets"), "write it flatter"));
        }
        let mut left = self.prefix()?;
        for (power, word) in [(1, "and"), (0, "or")] {
            if power < least || !self.takes(&Kind::Word(word)) {
                continue;
            }
            let mut parts = vec![left];
            loop {
                parts.push(self.expression(power + 1)?);
                if !self.takes(&Kind::Word(word)) {
                    break;
                }
            }
            left = if word == "and" { Condition::And(parts) } else { Condition::Or(parts) };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefix(&mut self) -> Result<Condition, ConditionError> {
        let token = self.take();
        match &token.kind {
            Kind::Word("not") => {
                self.depth += 1;
                if self.depth > MOST_DEPTH {
                    return Err(token.error("`not` stands here too often", "write it flatter"));
                }
                let inner = self.prefix()?;
                self.depth -= 1;
                Ok(Condition::Not(Box::new(inner)))
            }
            Kind::Open => {
                let inner = self.expression(0)?;
                if self.takes(&Kind::Close) {
                    return Ok(inner);
                }
                let found = self.peek();
                Err(found.error(
                    format!("expected `)`, found {}", found.kind.name()),
                    format!("close the bracket of column {}", token.column),
                ))
            }
            Kind::Name(name) => self.comparison(name.clone()),
            Kind::Literal(_) => Err(token.error(
                "a condition begins with the name of an attribute",
                "write the attribute on the left: `country = \"DE\"`",
            )),
            other => Err(token.error(
                format!("expected an attribute, found {}", other.name()),
                "write conditions such as `country = \"DE\"` or `closed_at is null`",
            )),
        }
    }

    fn comparison(&mut self, attribute: String) -> Result<Condition, ConditionError> {
        let token = self.take();
        match token.kind {
            Kind::Sign(comparison) => {
                let literal = self.literal()?;
                Ok(Condition::Compare { attribute, comparison, literal })
            }
            Kind::Word("in") => Ok(Condition::OneOf { attribute, literals: self.list()? }),
            Kind::Word("not") if self.takes(&Kind::Word("in")) => {
                let inner = Condition::OneOf { attribute, literals: self.list()? };
                Ok(Condition::Not(Box::new(inner)))
            }
            Kind::Word("is") => {
                let negated = self.takes(&Kind::Word("not"));
                let found = self.take();
                if found.kind != Kind::Word("null") {
                    return Err(found.error(
                        format!("expected `null`, found {}", found.kind.name()),
                        "write `is null` or `is not null`; compare with `=` otherwise",
                    ));
                }
                let absent = Condition::Absent(attribute);
                Ok(if negated { Condition::Not(Box::new(absent)) } else { absent })
            }
            ref other => Err(token.error(
                format!("expected a comparison after `{attribute}`, found {}", other.name()),
                "write `=`, `!=`, `<`, `<=`, `>`, `>=`, `in […]`, `is null` or `is not null`",
            )),
        }
    }

    fn literal(&mut self) -> Result<Literal, ConditionError> {
        let token = self.take();
        match &token.kind {
            Kind::Literal(literal) => Ok(literal.clone()),
            Kind::Word("null") => {
                Err(token.error("nothing equals `null`", "write `is null` or `is not null`"))
            }
            Kind::Name(name) => Err(token.error(
                format!("`{name}` is no constant"),
                format!("put text in double quotes: `\"{name}\"`; attributes are not compared with each other"),
            )),
            other => Err(token.error(
                format!("expected a constant, found {}", other.name()),
                "write a text in double quotes, a number, a day, a moment, `true` or `false`",
            )),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, ConditionError> {
        let open = self.take();
        if open.kind != Kind::ListOpen {
            return Err(open.error(
                format!("expected `[` after `in`, found {}", open.kind.name()),
                "write the constants in square brackets: `in [\"a\", \"b\"]`",
            ));
        }
        let mut literals = Vec::new();
        loop {
            literals.push(self.literal()?);
            let token = self.take();
            match token.kind {
                Kind::Comma if literals.len() >= MOST_LITERALS => {
                    return Err(token.error(
                        format!("more than {MOST_LITERALS} constants"),
                        "give the system a field to ask",
                    ));
                }
                Kind::Comma => {}
                Kind::ListClose => return Ok(literals),
                ref other => {
                    return Err(token.error(
                        format!("expected `,` or `]`, found {}", other.name()),
                        format!("close the list of column {}", open.column),
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
