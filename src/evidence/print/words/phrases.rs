//! Sentences that this program writes into certificates, in other languages.
//!
//! A certificate is signed in English. Its fixed sentences are translated when it is printed; `{}`
//! stands for a value, which is taken over. A sentence that is not here stands as it was signed.

use super::super::language::Language;
use super::residues::RESIDUES;

/// English, German, Chinese.
const PHRASES: &[[&str; 3]] = &[
    [
        "Counts are those that the named systems reported to the named verification.",
        "Die Zahlen sind die, welche die genannten Systeme der genannten Prüfung gemeldet haben.",
        "数字为所列系统向所列复查报告的数字。",
    ],
    [
        "Systems, collections and copies outside the stated data map are not covered.",
        "Systeme, Sammlungen und Kopien außerhalb des genannten Datenverzeichnisses sind nicht erfasst.",
        "所述数据地图之外的系统、集合和副本不在范围内。",
    ],
    [
        "Backups, caches, search indexes and exports are covered only where a statement names them.",
        "Sicherungen, Zwischenspeicher, Suchindizes und Exporte sind nur erfasst, wo eine Angabe sie nennt.",
        "备份、缓存、搜索索引和导出文件仅在有说明提及时才在范围内。",
    ],
    [
        "The log proves what was claimed and in which order; it cannot prove that a record is gone.",
        "Das Protokoll beweist, was erklärt wurde und in welcher Reihenfolge; es kann nicht beweisen, dass ein Datensatz weg ist.",
        "日志证明所声明的内容及其顺序，但不能证明某条记录已不存在。",
    ],
    [
        "System `{}` may still hold what was deleted in: {}.",
        "Das System „{}“ kann Gelöschtes noch enthalten in: {}.",
        "系统“{}”可能仍在以下位置存有已删除的内容：{}。",
    ],
    [
        "The clock of the machine was set back while this was carried out: moments in this certificate are not exact.",
        "Die Uhr des Rechners wurde während der Ausführung zurückgestellt: Zeitangaben in dieser Bescheinigung sind nicht genau.",
        "执行期间机器时钟曾被回拨：本证明中的时间不精确。",
    ],
    [
        "This certificate is of a drill: its subject was invented to see how long an erasure takes, and is no person.",
        "Diese Bescheinigung gehört zu einer Übung: Ihr Gegenstand wurde erfunden, um zu sehen, wie lange eine Löschung dauert, und ist keine Person.",
        "本证明属于试验：其对象是为检查删除所需时间而设的，并非任何个人。",
    ],
    [
        "this is a drill, and nothing was planted there",
        "dies ist eine Übung, und dort wurde nichts angelegt",
        "此为试验，该处没有试验内容",
    ],
    [
        "dead rows until the next vacuum of the table, and what they held in free pages until those are used again",
        "toten Zeilen bis zum nächsten Vacuum der Tabelle und freien Seiten, bis sie wieder benutzt werden",
        "下次清理表之前的失效行，以及被重新使用之前的空闲页",
    ],
    [
        "write-ahead log segments until they are recycled or archived ones expire",
        "Abschnitten des Write-Ahead-Protokolls, bis sie wiederverwendet werden oder archivierte ablaufen",
        "被回收或归档到期之前的预写日志段",
    ],
    [
        "replicas until they have caught up, and backups until they expire",
        "Replikaten, bis sie nachgezogen haben, und Sicherungen, bis sie ablaufen",
        "完成同步之前的副本，以及到期之前的备份",
    ],
    [
        "the store could not be listed",
        "die Ablage ließ sich nicht auflisten",
        "无法列出该存储的内容",
    ],
    [
        "old copies of the store do not go as they should",
        "alte Kopien der Ablage verschwinden nicht, wie sie sollten",
        "该存储中先前的副本未按期消失",
    ],
    [
        "the store no longer lists the copies, and nobody has seen that their data is gone",
        "die Ablage führt die Kopien nicht mehr auf, und niemand hat gesehen, dass ihre Daten weg sind",
        "该存储不再列出这些副本，但尚未确认其数据已消失",
    ],
    [
        "the store has taken no new copy for too long",
        "die Ablage hat zu lange keine neue Kopie gemacht",
        "该存储长期没有新的副本",
    ],
    [
        "the store keeps a copy for ever, or something keeps it from removing one",
        "die Ablage behält eine Kopie für immer, oder etwas hindert sie daran, eine zu entfernen",
        "该存储无限期保留某份副本，或有原因使其不能清除",
    ],
    [
        "the store is no longer in the data map",
        "die Ablage steht nicht mehr im Datenverzeichnis",
        "该存储已不在数据地图中",
    ],
    [
        "copies hold files of the person although these were erased inside of them",
        "Kopien enthalten Dateien der Person, obwohl sie darin gelöscht wurden",
        "副本中仍有该人的文件，尽管已在其中删除",
    ],
    ["expiry", "Ablauf", "到期"],
    ["expiry by quietus", "Ablauf, ausgeführt von quietus", "到期，由 quietus 执行"],
    ["erasure inside copies", "Löschung in den Kopien", "在副本内删除"],
    [
        "binary logs until they are purged",
        "Binärprotokollen, bis sie entfernt werden",
        "被清除之前的二进制日志",
    ],
    [
        "the redo log until it is overwritten",
        "dem Redo-Protokoll, bis es überschrieben wird",
        "被覆盖之前的重做日志",
    ],
    [
        "undo records until purge has passed",
        "Undo-Datensätzen, bis sie aufgeräumt sind",
        "清理完成之前的撤销记录",
    ],
    [
        "what deleted records held in free pages until those are used again",
        "freien Seiten, bis sie wieder benutzt werden",
        "被重新使用之前的空闲页中的已删除内容",
    ],
    [
        "the write-ahead log until its next checkpoint",
        "dem Write-Ahead-Protokoll bis zu seinem nächsten Checkpoint",
        "下一个检查点之前的预写日志",
    ],
    [
        "copies and backups of the file until they expire",
        "Kopien und Sicherungen der Datei, bis sie ablaufen",
        "到期之前的文件副本和备份",
    ],
    [
        "what the processor keeps under duties of its own, as far as it does not say so",
        "dem, was der Auftragsverarbeiter aus eigenen Pflichten aufbewahrt, soweit er es nicht sagt",
        "处理者因自身义务而保留且未说明的内容",
    ],
    [
        "the processor's backups and logs",
        "Sicherungen und Protokollen des Auftragsverarbeiters",
        "处理者的备份和日志",
    ],
    [
        "what the processor has passed on to others",
        "dem, was der Auftragsverarbeiter an andere weitergegeben hat",
        "处理者已转交他方的内容",
    ],
    [
        "over a new connection, every collection was counted in full, and from the total were taken the records that are not due (by the negated condition), those that are held, and those that other records still refer to",
        "über eine neue Verbindung wurde jede Sammlung ganz gezählt; abgezogen wurden die Datensätze, die nicht fällig sind (mit der verneinten Bedingung), die gesperrt sind und auf die andere noch verweisen",
        "通过新连接对每个集合全部计数，并从总数中减去未到期的记录（按取反条件）、被保全的记录以及仍被其他记录引用的记录",
    ],
    [
        "over a new connection, every collection in which the order could do something was counted in full, and from the total were taken the records that are not due (by the negated condition), those that are held, and those that other records still refer to",
        "über eine neue Verbindung wurde jede Sammlung ganz gezählt, in der der Auftrag etwas tun konnte; abgezogen wurden die Datensätze, die nicht fällig sind (mit der verneinten Bedingung), die gesperrt sind und auf die andere noch verweisen",
        "通过新连接对指令可能涉及的每个集合全部计数，并从总数中减去未到期的记录（按取反条件）、被保全的记录以及仍被其他记录引用的记录",
    ],
    ["what was left over is reported", "gemeldet ist, was übrig blieb", "报告的是剩余的数量"],
    [
        "where everything that the order does presupposes that a record is on a list (of identities or keys), the records that the lists name were found again, by another query than before, and only they were counted in this way",
        "wo alles im Auftrag voraussetzt, dass ein Datensatz auf einer Liste steht (von Kennungen oder Schlüsseln), wurden die Datensätze der Listen mit einer anderen Abfrage als zuvor wiedergefunden und nur sie so gezählt",
        "若指令的全部内容均以记录在名单（标识或键）上为前提，则用不同于先前的查询重新找出名单所列记录，并仅对其如此计数",
    ],
    [
        "associations with parents that went were looked for as records that refer to a parent that is not there, beyond those that did so before",
        "Verknüpfungen mit gelöschten übergeordneten Datensätzen wurden als Datensätze gesucht, die auf einen nicht vorhandenen verweisen, über jene hinaus, die es schon vorher taten",
        "与已删除上级记录的关联，以引用不存在的上级记录的方式查找，先前已如此的除外",
    ],
    [
        "where a foreign key guards them there can be none",
        "wo ein Fremdschlüssel sie schützt, kann es keine geben",
        "有外键保护之处不可能存在此类关联",
    ],
    [
        "of records that stay, the association with what went was emptied ({})",
        "bei bleibenden Datensätzen wurde die Verknüpfung mit dem Gelöschten geleert ({})",
        "保留的记录中，与已删除内容的关联已清空（{}）",
    ],
    ["everything was erased by `{}`", "„{}“ hat alles gelöscht", "“{}”已全部删除"],
    [
        "erased in part by `{}`, which keeps {}",
        "„{}“ hat einen Teil gelöscht und behält {}",
        "“{}”已部分删除，保留 {}",
    ],
    [
        "`{}` refuses and erased nothing",
        "„{}“ lehnt ab und hat nichts gelöscht",
        "“{}”拒绝，未删除任何内容",
    ],
    [
        "the request was cancelled at `{}`: nothing may have been erased",
        "die Anfrage wurde bei „{}“ abgebrochen: Womöglich ist nichts gelöscht",
        "请求已在“{}”取消：可能未删除任何内容",
    ],
    ["nothing in it is disposed of", "darin wird nichts gelöscht", "其中没有需要处置的内容"],
    [
        "no known identity reaches it",
        "keine bekannte Kennung führt dorthin",
        "没有已知标识可关联到它",
    ],
    ["no rule had its turn in it", "keine Regel war dort an der Reihe", "没有规则在此轮适用于它"],
    ["`{}` is exempt: {}", "„{}“ ist ausgenommen: {}", "“{}”被豁免：{}"],
    ["its schedule has runs of its own", "sein Plan hat eigene Läufe", "其计划单独执行"],
    ["no rule disposes of it", "keine Regel löscht es", "没有规则处置它"],
    [
        "marked; it goes when the rule's grace is over",
        "vorgemerkt; es wird gelöscht, wenn die Schonfrist der Regel vorbei ist",
        "已标记；规则的宽限期结束后删除",
    ],
    ["it was not asked for", "darum wurde nicht gebeten", "未被请求"],
    ["nobody looked again", "niemand hat nachgesehen", "无人复查"],
    [
        "nothing was ordered here, so nothing was looked for",
        "hier war nichts aufgetragen, also wurde nichts gesucht",
        "此处没有下达指令，因此未作检索",
    ],
    [
        "the order left nothing to do here: nothing is due, or all of it is held",
        "hier war nichts zu tun: Nichts ist fällig, oder alles ist gesperrt",
        "此处无事可做：没有到期内容，或全部被保全",
    ],
    [
        "the second look did not look at this",
        "die zweite Prüfung hat hier nicht nachgesehen",
        "复查未涉及此处",
    ],
    [
        "a legal hold in force when it was carried out",
        "eine bei der Ausführung geltende Löschsperre",
        "执行时有效的法律保全",
    ],
    [
        "another request of the person restricts it",
        "eine andere Anfrage der Person schränkt es ein",
        "此人的另一项请求对其加以限制",
    ],
    [
        "a legal hold keeps what an erasure of the person has left",
        "eine Löschsperre hält, was eine Löschung der Person übrig gelassen hat",
        "法律保全保留了对此人删除后的剩余内容",
    ],
    [
        "a retention rule restricts it by now",
        "eine Aufbewahrungsregel schränkt es inzwischen ein",
        "保留规则现已对其加以限制",
    ],
    ["matter {}", "Verfahren {}", "案件 {}"],
    [
        "one or more of the matters {}",
        "eines oder mehrere der Verfahren {}",
        "案件 {} 中的一项或多项",
    ],
    [
        "records of `{}` that are kept refer to them; their own due fields are cleared",
        "Datensätze aus „{}“, die bleiben, verweisen darauf; ihre eigenen fälligen Felder sind geleert",
        "“{}”中被保留的记录引用它们；其自身到期的字段已清空",
    ],
    ["the job is {}", "der Auftrag steht auf „{}“", "任务状态为“{}”"],
    ["waiting", "wartet", "等待"],
    ["running", "läuft", "执行中"],
    ["no job was made", "kein Auftrag wurde angelegt", "未创建任务"],
    ["called off: {}", "abgesagt: {}", "已取消：{}"],
    ["called off", "abgesagt", "已取消"],
    ["it failed", "es ist fehlgeschlagen", "失败"],
    [
        "what laws or holds keep here was not counted after it was carried out",
        "was hier wegen Gesetzen oder Sperren bleibt, wurde nach der Ausführung nicht gezählt",
        "执行后未统计因法律或保全而保留的内容",
    ],
    [
        "{}; how much is left is not known, because it was not counted",
        "{}; wie viel übrig ist, ist nicht bekannt, weil nicht gezählt wurde",
        "{}；由于未统计，残留数量未知",
    ],
    [
        "it answered, and said nothing of the person",
        "es hat geantwortet und nichts über die Person gesagt",
        "对方已答复，但未提及此人",
    ],
    [
        "asked {} for each of {} person(s) again, by other requests",
        "{} wurde für jede von {} Person(en) mit anderen Anfragen erneut gefragt",
        "已通过其他请求就 {} 对 {} 人逐一再次查询",
    ],
    [
        "{} cannot be asked again for any of {} person(s): its word is relied upon",
        "{} lässt sich für keine von {} Person(en) erneut fragen: Es gilt das Wort des Dritten",
        "无法就 {} 对 {} 人再次查询：依赖其说法",
    ],
    [
        "asked {} for {} person(s) again, by other requests; for {} its word is relied upon",
        "{} wurde für {} Person(en) mit anderen Anfragen erneut gefragt; für {} gilt das Wort des Dritten",
        "已通过其他请求就 {} 对 {} 人再次查询；对 {} 人依赖其说法",
    ],
    [
        "nobody looked: this relies on the word of `{}` over OpenDSR",
        "niemand hat nachgesehen: Es gilt das Wort von „{}“ über OpenDSR",
        "无人复查：依赖“{}”通过 OpenDSR 的说法",
    ],
    [
        "the connector offers no way to look again: its word is relied upon",
        "der Anschluss bietet keine zweite Prüfung: Es gilt sein Wort",
        "该连接器不提供复查方式：依赖其说法",
    ],
    [
        "asked the connector for each of {} person(s) again",
        "der Anschluss wurde für jede von {} Person(en) erneut gefragt",
        "已就 {} 人逐一再次询问连接器",
    ],
    [
        "{}, and it was so when asked again",
        "{}, und so war es auch bei erneuter Frage",
        "{}，再次查询时亦如此",
    ],
    [
        "{}; it was not yet so when asked at once",
        "{}; bei sofortiger Nachfrage war es noch nicht so",
        "{}；立即查询时尚未如此",
    ],
    [
        "{}; it could not be asked again at once",
        "{}; sofort nachgefragt werden konnte nicht",
        "{}；无法立即再次查询",
    ],
    ["{} has no such record", "{} hat keinen solchen Datensatz", "{} 没有此类记录"],
    ["{} reported the job as done", "{} meldete Erledigung", "{} 报告已完成"],
    [
        "verification found survivors: {}",
        "die zweite Prüfung fand noch etwas: {}",
        "复查发现残留：{}",
    ],
    [
        "{} record(s) of `{}` are still there",
        "{} Datensätze von „{}“ sind noch da",
        "{} 条“{}”的记录仍在",
    ],
    [
        "{} record(s) of `{}` still hold `{}`",
        "{} Datensätze von „{}“ enthalten noch „{}“",
        "{} 条“{}”的记录仍有“{}”",
    ],
    ["rule `{}` is paused", "die Regel „{}“ ruht", "规则“{}”已暂停"],
    ["deleted", "gelöscht", "删除"],
    ["told", "unterrichtet", "告知"],
];

/// The sentence in the language, or as it was signed.
pub fn phrase(language: Language, signed: &str) -> String {
    let column = match language {
        Language::English => return signed.to_owned(),
        Language::German => 1,
        Language::Chinese => 2,
    };
    for row in PHRASES.iter().chain(RESIDUES) {
        if let Some(values) = values(row[0], signed) {
            let mut parts = row[column].split("{}");
            let mut text = parts.next().unwrap_or_default().to_owned();
            for (value, part) in values.iter().zip(parts) {
                text.push_str(&parts_of(language, value));
                text.push_str(part);
            }
            return text;
        }
    }
    if signed.contains("; ") { parts_of(language, signed) } else { signed.to_owned() }
}

/// Sentences that stand behind one another, each on its own.
fn parts_of(language: Language, signed: &str) -> String {
    let parts: Vec<String> = signed.split("; ").map(|one| phrase(language, one)).collect();
    parts.join(if language == Language::Chinese { "；" } else { "; " })
}

/// What stands at the places of a pattern; `None` where the text has another form. Values are not
/// empty and shorter than the text, so that a value within a value comes to an end.
fn values<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let end = match (part.is_empty(), parts.peek()) {
            (_, None) => rest.strip_suffix(part)?.len(),
            (true, Some(_)) => return None,
            (false, Some(_)) => rest.find(part)?,
        };
        if end == 0 {
            return None;
        }
        found.push(&rest[..end]);
        rest = &rest[end + part.len()..];
    }
    (rest.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::certificate::{OF_A_DRILL, STANDING_LIMITS};

    #[test]
    fn every_standing_limit_is_translated() {
        for limit in STANDING_LIMITS.iter().chain(&[OF_A_DRILL]) {
            for language in [Language::German, Language::Chinese] {
                assert_ne!(&phrase(language, limit), limit);
            }
        }
    }

    #[test]
    fn what_a_second_look_says_of_persons_is_translated() {
        let signed = "over a new connection, every collection in which the order could do something was counted in full, and from the total were taken the records that are not due (by the negated condition), those that are held, and those that other records still refer to; what was left over is reported";
        let german = phrase(Language::German, signed);
        assert!(german.contains("in der der Auftrag etwas tun konnte"), "{german}");
        assert!(german.ends_with("gemeldet ist, was übrig blieb"), "{german}");
        let chinese = phrase(Language::Chinese, signed);
        assert!(!chinese.chars().any(|one| one.is_ascii_alphabetic()), "{chinese}");
    }

    #[test]
    fn values_are_taken_over_and_sentences_within_them_translated() {
        assert_eq!(
            phrase(
                Language::German,
                "System `crm` may still hold what was deleted in: binary logs until they are \
                 purged; a cellar."
            ),
            "Das System „crm“ kann Gelöschtes noch enthalten in: Binärprotokollen, bis sie \
             entfernt werden; a cellar."
        );
        assert_eq!(phrase(Language::Chinese, "matter 2026-014"), "案件 2026-014");
        assert_eq!(phrase(Language::German, "somebody's own words"), "somebody's own words");
        assert_eq!(phrase(Language::German, "called off: "), "called off: ");
    }

    #[test]
    fn every_phrase_has_its_values_in_the_same_order() {
        for row in PHRASES.iter().chain(RESIDUES) {
            let count = |text: &str| text.matches("{}").count();
            assert_eq!((count(row[1]), count(row[2])), (count(row[0]), count(row[0])), "{row:?}");
        }
    }
}
