//! Sentences about files and logs of systems, in other languages: what they are, and why they can still
//! hold what was erased. They are the words of the connectors.

/// English, German, Chinese.
pub(super) const RESIDUES: &[[&str; 3]] = &[
    ["pages of the database file", "Seiten der Datenbankdatei", "数据库文件的页"],
    [
        "the write-ahead log or rollback journal",
        "das Write-Ahead-Protokoll oder Rollback-Journal",
        "预写日志或回滚日志",
    ],
    [
        "dead rows of the table and their index entries",
        "tote Zeilen der Tabelle und ihre Indexeinträge",
        "表的失效行及其索引项",
    ],
    [
        "free space on pages of the table and its indexes",
        "freier Platz auf Seiten der Tabelle und ihrer Indizes",
        "表及其索引页上的空闲空间",
    ],
    ["segments of the write-ahead log", "Abschnitte des Write-Ahead-Protokolls", "预写日志段"],
    [
        "rows marked as deleted and their undo records",
        "als gelöscht markierte Zeilen und ihre Undo-Datensätze",
        "已标记删除的行及其撤销记录",
    ],
    ["free pages of the table", "freie Seiten der Tabelle", "表的空闲页"],
    ["the redo log", "das Redo-Protokoll", "重做日志"],
    ["binary logs", "Binärprotokolle", "二进制日志"],
    [
        "samples of values in the planner's statistics until the tables are analysed again",
        "Stichproben von Werten in den Statistiken des Planers, bis die Tabellen neu analysiert sind",
        "表被重新分析之前，规划器统计信息中的取样值",
    ],
    [
        "the doublewrite buffer until it is written over",
        "dem Doublewrite-Puffer, bis er überschrieben ist",
        "被覆盖之前的双写缓冲区",
    ],
    [
        "what the application has deleted or replaced in the file by itself without secure_delete",
        "dem, was die Anwendung selbst ohne secure_delete in der Datei gelöscht oder ersetzt hat",
        "应用程序自行在文件中删除或替换且未使用 secure_delete 的内容",
    ],
    [
        "a later look makes it go (`{}`)",
        "bei einem späteren Nachsehen wird es entfernt („{}“)",
        "稍后查看时将予以清除（“{}”）",
    ],
    ["nobody has looked yet", "noch hat niemand nachgesehen", "尚无人查看"],
    ["the system could not be asked", "das System konnte nicht gefragt werden", "无法查询该系统"],
    [
        "somebody reads or writes for long and keeps the write-ahead log from being emptied: end the oldest transaction of the application",
        "jemand liest oder schreibt lange und hindert daran, das Write-Ahead-Protokoll zu leeren: Beenden Sie die älteste Transaktion der Anwendung",
        "有长时间的读写阻止清空预写日志：请结束应用程序最早的事务",
    ],
    [
        "the write-ahead log holds what was written before: it goes with `PRAGMA wal_checkpoint(TRUNCATE)`, or add `checkpoint` under `drive`",
        "das Write-Ahead-Protokoll enthält früher Geschriebenes: Es verschwindet mit `PRAGMA wal_checkpoint(TRUNCATE)`, oder mit `checkpoint` unter `drive`",
        "预写日志含有先前写入的内容：执行 `PRAGMA wal_checkpoint(TRUNCATE)`，或在 `drive` 中加入 `checkpoint`，即可清除",
    ],
    [
        "the rollback journal is kept with its contents: set `PRAGMA journal_mode` to `delete` or `truncate`",
        "das Rollback-Journal bleibt mit seinem Inhalt erhalten: Setzen Sie `PRAGMA journal_mode` auf `delete` oder `truncate`",
        "回滚日志连同其内容被保留：请将 `PRAGMA journal_mode` 设为 `delete` 或 `truncate`",
    ],
    [
        "a transaction is under way, whose rollback journal holds pages of before",
        "eine Transaktion läuft, deren Rollback-Journal frühere Seiten enthält",
        "有事务正在进行，其回滚日志含有先前的页",
    ],
    ["{} can still see the rows", "{} kann die Zeilen noch sehen", "{} 仍可见这些行"],
    [
        "nobody can see whether an autovacuum has cleaned the indexes as well: add `vacuum` under `drive`",
        "ob ein Autovacuum auch die Indizes bereinigt hat, kann niemand sehen: Nehmen Sie `vacuum` unter `drive` auf",
        "无法得知自动清理是否也清理了索引：请在 `drive` 中加入 `vacuum`",
    ],
    [
        "it counts from when no dead rows are left",
        "es zählt, sobald keine toten Zeilen mehr da sind",
        "自不再有失效行时起计",
    ],
    ["it counts from when purge has passed", "es zählt, sobald aufgeräumt ist", "自清理完成时起计"],
    [
        "it counts from when the table holds nothing any more",
        "es zählt, sobald die Tabelle nichts mehr enthält",
        "自表中不再含有时起计",
    ],
    [
        "the bytes stay on the page until somebody writes there: build {} anew with VACUUM FULL, or add `rewrite` under `drive`",
        "die Bytes bleiben auf der Seite, bis jemand dorthin schreibt: Bauen Sie {} mit VACUUM FULL neu, oder nehmen Sie `rewrite` unter `drive` auf",
        "字节留在页上，直到有人写入：请用 VACUUM FULL 重建 {}，或在 `drive` 中加入 `rewrite`",
    ],
    [
        "freed pages keep their bytes until they are used again: build the tables anew with OPTIMIZE TABLE, or add `rewrite` under `drive`",
        "frei gewordene Seiten behalten ihre Bytes, bis sie wieder benutzt werden: Bauen Sie die Tabellen mit OPTIMIZE TABLE neu, oder nehmen Sie `rewrite` unter `drive` auf",
        "已释放的页在重新使用前保留其字节：请用 OPTIMIZE TABLE 重建表，或在 `drive` 中加入 `rewrite`",
    ],
    [
        "{} segments go as new log is written; `switch_wal` under `drive` hastens it",
        "{} Abschnitte verschwinden, während neues Protokoll geschrieben wird; `switch_wal` unter `drive` beschleunigt es",
        "{} 个段随新日志的写入而消失；在 `drive` 中加入 `switch_wal` 可加快",
    ],
    [
        "replication slot `{}` keeps the log: let its consumer catch up, or drop the slot",
        "der Replikationsslot „{}“ behält das Protokoll: Lassen Sie seinen Leser aufholen, oder entfernen Sie den Slot",
        "复制槽“{}”保留着日志：请让其使用者追上，或删除该槽",
    ],
    [
        "archiving of the log fails, so that the server keeps its segments: see `archive_command` and the server's log",
        "das Archivieren des Protokolls schlägt fehl, sodass der Server die Abschnitte behält: siehe `archive_command` und das Protokoll des Servers",
        "日志归档失败，服务器因此保留其段：请查看 `archive_command` 和服务器日志",
    ],
    ["purge has not come so far yet", "so weit ist noch nicht aufgeräumt", "清理尚未进行到此处"],
    [
        "{} MiB of it are still to be written over",
        "{} MiB davon sind noch zu überschreiben",
        "其中 {} MiB 尚待覆盖",
    ],
    [
        "a replica still reads a binary log: let it catch up",
        "ein Replikat liest noch ein Binärprotokoll: Lassen Sie es aufholen",
        "有副本仍在读取二进制日志：请让其追上",
    ],
    [
        "they go when their time is over and a new one begins; `purge_binlogs` under `drive` hastens it",
        "sie verschwinden, wenn ihre Zeit um ist und ein neues beginnt; `purge_binlogs` unter `drive` beschleunigt es",
        "到期且新日志开始时消失；在 `drive` 中加入 `purge_binlogs` 可加快",
    ],
    [
        "they are kept for ever: set `binlog_expire_logs_seconds`, or add `purge_binlogs` under `drive`",
        "sie bleiben für immer: Setzen Sie `binlog_expire_logs_seconds`, oder nehmen Sie `purge_binlogs` unter `drive` auf",
        "被无限期保留：请设置 `binlog_expire_logs_seconds`，或在 `drive` 中加入 `purge_binlogs`",
    ],
];
