//! The evidence log for monitors: checkpoint, tiles and entry bundles (C2SP tlog-tiles).

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};

use super::Api;
use super::answer::{Answer, Kept, Refusal, bytes, kept};
use super::certificates::BUNDLE;
use super::intake::Part;
use crate::app::reading::{TILE_WIDTH as WIDTH, TileId};

/// Groups of three digits in a number; more do not fit 64 bits.
const MOST_GROUPS: usize = 6;

/// What a monitor asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    /// Level of a tile; `None` for a bundle of entries.
    level: Option<u8>,
    index: u64,
    width: u64,
}

/// `GET /log/checkpoint`: that of the newest log.
pub async fn checkpoint(State(api): State<Api>) -> Answer {
    checkpoint_of(&api, None).await
}

/// `GET /log/{name}/checkpoint`.
pub async fn named_checkpoint(State(api): State<Api>, Part(name): Part) -> Answer {
    checkpoint_of(&api, Some(&name)).await
}

/// `GET /log/tile/…`: of the newest log.
pub async fn tile(State(api): State<Api>, Part(path): Part) -> Answer {
    tile_of(&api, None, &path).await
}

/// `GET /log/{name}/tile/…`.
pub async fn named_tile(
    State(api): State<Api>,
    place: Result<Path<(String, String)>, PathRejection>,
) -> Answer {
    let Ok(Path((name, path))) = place else { return Err(Refusal::nothing_here()) };
    tile_of(&api, Some(&name), &path).await
}

/// `GET /log/{name}/status/{number}`: what became of certificates; the newest list.
pub async fn status_list(
    State(api): State<Api>,
    place: Result<Path<(String, u32)>, PathRejection>,
) -> Answer {
    let Ok(Path((name, number))) = place else { return Err(Refusal::nothing_here()) };
    let found = api.product.published_status_list(&format!("{name}/status/{number}")).await?;
    Ok(bytes(BUNDLE, found.ok_or_else(Refusal::nothing_here)?))
}

async fn checkpoint_of(api: &Api, log: Option<&str>) -> Answer {
    let found = api.product.published_checkpoint(log).await?;
    Ok(bytes("text/plain; charset=utf-8", found.ok_or_else(Refusal::nothing_here)?))
}

async fn tile_of(api: &Api, log: Option<&str>, path: &str) -> Answer {
    let wanted = parse(path).ok_or_else(Refusal::nothing_here)?;
    let Wanted { level, index, width } = wanted;
    let found = match level {
        Some(level) => api.product.published_tile(log, TileId { level, index }, width).await?,
        None => api.product.published_entries(log, index, width).await?,
    };
    let found = found.ok_or_else(Refusal::nothing_here)?;
    // Without a name the address is that of another log next year, and nobody keeps what is there.
    let answer = bytes("application/octet-stream", found);
    Ok(match (log, width) {
        (None, _) => answer,
        (Some(_), WIDTH) => kept(answer, Kept::ForEver),
        (Some(_), _) => kept(answer, Kept::Shortly),
    })
}

/// Reads `0/x001/234`, `entries/067.p/8`; each name has exactly one spelling.
fn parse(path: &str) -> Option<Wanted> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let first = parts.remove(0);
    let level = if first == "entries" { None } else { Some(u8::try_from(plain(first, 63)?).ok()?) };
    let width = match parts.iter().rev().nth(1).and_then(|part| part.strip_suffix(".p")) {
        Some(stem) => {
            let width = plain(parts.pop()?, WIDTH - 1).filter(|width| *width > 0)?;
            parts.pop();
            parts.push(stem);
            width
        }
        None => WIDTH,
    };
    let (last, groups) = parts.split_last()?;
    if groups.len() >= MOST_GROUPS || groups.first() == Some(&"x000") {
        return None;
    }
    let mut index = 0;
    for group in groups {
        index = index * 1000 + three_digits(group.strip_prefix('x')?)?;
    }
    Some(Wanted { level, index: index * 1000 + three_digits(last)?, width })
}

/// A number as it is usually written.
fn plain(text: &str, most: u64) -> Option<u64> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|one| one.is_ascii_digit());
    let leading = text.len() > 1 && text.starts_with('0');
    let number = text.parse().ok().filter(|number| *number <= most);
    number.filter(|_| digits && !leading)
}

fn three_digits(text: &str) -> Option<u64> {
    let fits = text.len() == 3 && text.bytes().all(|one| one.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tiles_are_read() {
        let wanted = |level, index, width| Some(Wanted { level, index, width });
        assert_eq!(parse("0/000"), wanted(Some(0), 0, 256));
        assert_eq!(parse("0/000.p/5"), wanted(Some(0), 0, 5));
        assert_eq!(parse("1/x001/x234/067"), wanted(Some(1), 1_234_067, 256));
        assert_eq!(parse("entries/x001/234.p/255"), wanted(None, 1234, 255));
        assert_eq!(
            parse("63/x999/x999/x999/x999/x999/999").map(|one| one.index),
            Some(999_999_999_999_999_999)
        );
    }

    #[test]
    fn other_spellings_are_not() {
        for path in [
            "",
            "0",
            "0/",
            "00/000",
            "64/000",
            "256/000",
            "-1/000",
            "0/0",
            "0/0000",
            "0/00a",
            "0/x000/001",
            "0/x001",
            "0/001/002",
            "0/000.p",
            "0/000.p/",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/05",
            "0/000.p/5/6",
            "0/+00",
            "entries/",
            "Entries/000",
            "0/x001/x001/x001/x001/x001/x001/001",
            "0/000/",
            "/0/000",
            "0//000",
            "0/..",
            "0/x-01/000",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
