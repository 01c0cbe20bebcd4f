//! The words of the page behind the link of a mail, in the languages of whoever works on tasks.

use std::borrow::Cow;

use crate::app::mail::{LinkError, WhyOver};

macro_rules! page_words {
    ($($name:ident: $en:literal, $de:literal, $zh:literal;)*) => {
        /// Every word of the page, in one language.
        pub struct PageWords {
            /// The language, as browsers name it.
            pub language: &'static str,
            $(pub $name: &'static str,)*
        }

        const ENGLISH: PageWords = PageWords { language: "en", $($name: $en,)* };
        const GERMAN: PageWords = PageWords { language: "de", $($name: $de,)* };
        const CHINESE: PageWords = PageWords { language: "zh", $($name: $zh,)* };
    };
}

page_words! {
    for_whom:
        ", for ",
        ", für ",
        "，致 ";
    a_task:
        "A task for you",
        "Eine Aufgabe für Sie",
        "您有一项任务";
    a_task_to_confirm:
        "A task to confirm",
        "Eine Aufgabe zum Bestätigen",
        "待确认的任务";
    place:
        "Where",
        "Wo",
        "地点";
    to_do:
        "To do",
        "Zu tun",
        "事项";
    asked:
        "Asked",
        "Verlangt",
        "请求";
    due:
        "Due",
        "Fällig",
        "期限";
    overdue:
        "overdue",
        "überfällig",
        "已逾期";
    said_by:
        "Said by",
        "Angegeben von",
        "说明人";
    result:
        "Result",
        "Ergebnis",
        "结果";
    note:
        "Note",
        "Vermerk",
        "备注";
    whom:
        "Whom it is about",
        "Um wen es geht",
        "涉及何人";
    looks_are_kept:
        "Each look is put on record, without what it showed.",
        "Jeder Blick wird festgehalten, ohne was er gezeigt hat.",
        "每次查看都会记录在案，但不记录所显示的内容。";
    show_whom:
        "Show whom it is about",
        "Zeigen, um wen es geht",
        "显示涉及何人";
    nobody_known:
        "Nothing by which this place knows the person.",
        "Nichts, woran man die Person hier kennt.",
        "此处没有可以识别该人的信息。";
    for_the_task_only:
        "Use this for the task only. Do not copy it into mails, tickets or notes.",
        "Nur für diese Aufgabe. Nicht in Mails, Tickets oder Vermerke übernehmen.",
        "仅用于本任务，请勿复制到邮件、工单或备注中。";
    what_became:
        "What became of it",
        "Was daraus geworden ist",
        "处理结果";
    done:
        "Done as it was asked",
        "Erledigt, wie verlangt",
        "已按要求完成";
    absent:
        "Nothing is held there of this person",
        "Dort ist von dieser Person nichts vorhanden",
        "该处没有此人的数据";
    refused:
        "It was refused",
        "Es wurde abgelehnt",
        "已被拒绝";
    digest:
        "SHA-256 of a file that shows it",
        "SHA-256 einer Datei, die es zeigt",
        "证明文件的 SHA-256";
    digest_hint:
        "The file stays with you. The 64 digits are printed by",
        "Die Datei bleibt bei Ihnen. Die 64 Ziffern gibt aus:",
        "文件由您自己保存。以下命令会输出 64 位数字：";
    on_windows:
        "; on Windows by",
        "; unter Windows:",
        "；Windows 上用";
    or_a_note:
        "Or a note in one line",
        "Oder ein Vermerk in einer Zeile",
        "或一行备注";
    note_hint:
        "It is kept for good: name nobody, no address, no telephone number.",
        "Er bleibt für immer: niemanden nennen, keine Adresse, keine Telefonnummer.",
        "备注将永久保存：请勿写出任何人名、地址或电话号码。";
    put_on_record:
        "Put it on record",
        "Festhalten",
        "提交";
    second_person_hint:
        "A second person confirms it afterwards. The link is good for one answer.",
        "Eine zweite Person bestätigt es danach. Der Link gilt für eine Antwort.",
        "之后由第二个人确认。该链接只能答复一次。";
    your_confirmation:
        "Your confirmation",
        "Ihre Bestätigung",
        "您的确认";
    you_confirm:
        "You confirm, as a second person, that this is so. It is kept with your name.",
        "Sie bestätigen als zweite Person, dass es so ist. Das wird mit Ihrem Namen festgehalten.",
        "您作为第二个人确认情况属实。确认会连同您的姓名一并保存。";
    confirm:
        "Confirm it",
        "Bestätigen",
        "确认";
    if_not_so:
        "If it is not so, do not confirm it: tell whoever runs the task.",
        "Ist es nicht so, bestätigen Sie es nicht: Sagen Sie es, wem die Aufgabe gehört.",
        "如情况不符，请勿确认，并告知任务负责人。";
    confirmed:
        "Confirmed",
        "Bestätigt",
        "已确认";
    confirmed_words:
        "It is on record with your name, and the request goes on.",
        "Es ist mit Ihrem Namen festgehalten, und der Antrag geht weiter.",
        "已连同您的姓名记录在案，请求将继续处理。";
    on_record:
        "On record",
        "Festgehalten",
        "已记录";
    on_record_words:
        "Thank you. A second person confirms it; you have nothing more to do.",
        "Vielen Dank. Eine zweite Person bestätigt es; Sie müssen nichts weiter tun.",
        "谢谢。将由第二个人确认，您无需再做任何事情。";
    not_good:
        "This link is not good",
        "Dieser Link gilt nicht",
        "该链接无效";
    not_good_any_more:
        "This link is not good any more",
        "Dieser Link gilt nicht mehr",
        "该链接已失效";
    nothing_changed:
        "Nothing was changed",
        "Es wurde nichts geändert",
        "未作任何更改";
    not_now:
        "Not now",
        "Nicht jetzt",
        "暂时无法处理";
    please_wait:
        "Please wait",
        "Bitte warten",
        "请稍候";
    too_many:
        "too many links that are none of ours: wait a moment and try again",
        "zu viele Links, die nicht von uns sind: Warten Sie einen Augenblick und versuchen Sie es erneut",
        "无效链接过多：请稍候再试";
    try_again:
        "this could not be done just now: try again in a moment",
        "das war gerade nicht möglich: Versuchen Sie es gleich noch einmal",
        "目前无法完成：请稍后再试";
    forged:
        "this link is not one that was sent from here, or a part of it is missing",
        "dieser Link wurde nicht von hier verschickt, oder ein Teil fehlt",
        "该链接并非由此处发出，或不完整";
    expired:
        "the time of this link is over: ask for the task at the console of quietus",
        "die Zeit dieses Links ist um: Fragen Sie dort nach der Aufgabe, wo quietus betrieben wird",
        "该链接已过期：请向 quietus 的管理者查询该任务";
    over:
        "nothing is left to do with this link: ",
        "mit diesem Link ist nichts mehr zu tun: ",
        "该链接已无可处理的事项：";
    over_called_off:
        "the task was called off",
        "die Aufgabe wurde abgesagt",
        "任务已取消";
    over_said:
        "somebody has said what became of the task",
        "es wurde schon angegeben, was aus der Aufgabe geworden ist",
        "已有人说明处理结果";
    over_not_said:
        "nobody has said yet what became of the task",
        "noch hat niemand angegeben, was aus der Aufgabe geworden ist",
        "尚无人说明处理结果";
    over_confirmed:
        "the task is confirmed",
        "die Aufgabe ist bestätigt",
        "任务已确认";
    over_same_person:
        "whoever said it cannot confirm it",
        "wer es angegeben hat, kann es nicht bestätigen",
        "说明人不能自行确认";
    old_form:
        "the form is too old: open the link of the mail again; nothing was changed",
        "das Formular ist zu alt: Öffnen Sie den Link aus der Mail erneut; es wurde nichts geändert",
        "表单已过期：请重新打开邮件中的链接；未作任何更改";
    say_what_became:
        "say what became of it: nothing was put on record",
        "geben Sie an, was daraus geworden ist: Es wurde nichts festgehalten",
        "请说明处理结果：尚未记录任何内容";
    wrong_digest:
        "a SHA-256 has 64 digits from 0 to f",
        "ein SHA-256 hat 64 Ziffern von 0 bis f",
        "SHA-256 应为 64 位，由 0 至 f 组成";
    digest_or_note:
        "name the SHA-256 of a file that shows it, or write a note",
        "nennen Sie den SHA-256 einer Datei, die es zeigt, oder schreiben Sie einen Vermerk",
        "请填写证明文件的 SHA-256，或写一行备注";
    unfit:
        "this does not fit: ",
        "das passt nicht: ",
        "内容不符合要求：";
}

/// The words in one of our languages.
pub fn words_in(language: &str) -> &'static PageWords {
    match language {
        "de" => &GERMAN,
        "zh" => &CHINESE,
        _ => &ENGLISH,
    }
}

impl PageWords {
    /// What became of a task, by the word for it.
    pub fn result_of(&self, word: &str) -> &'static str {
        match word {
            "done" => self.done,
            "absent" => self.absent,
            _ => self.refused,
        }
    }

    /// Why somebody behind a link is turned away.
    pub fn why(&self, error: &LinkError) -> Cow<'static, str> {
        match error {
            LinkError::Forged => self.forged.into(),
            LinkError::Expired => self.expired.into(),
            LinkError::Over(why) => {
                let why = match why {
                    WhyOver::CalledOff => self.over_called_off,
                    WhyOver::Said => self.over_said,
                    WhyOver::NotSaid => self.over_not_said,
                    WhyOver::Confirmed => self.over_confirmed,
                    WhyOver::SamePerson => self.over_same_person,
                };
                format!("{}{why}", self.over).into()
            }
            LinkError::Form => self.old_form.into(),
            LinkError::Unfit(words) => self.unfit_because(words),
            LinkError::App(_) => self.try_again.into(),
        }
    }

    /// What does not fit. The words of the engine are English; another language says before them
    /// that it is about what was written.
    pub fn unfit_because(&self, words: &str) -> Cow<'static, str> {
        if self.language == ENGLISH.language {
            return words.to_owned().into();
        }
        format!("{}{words}", self.unfit).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_links_are_told_in_english_as_they_call_themselves() {
        let english = words_in("en");
        let over = [
            WhyOver::CalledOff,
            WhyOver::Said,
            WhyOver::NotSaid,
            WhyOver::Confirmed,
            WhyOver::SamePerson,
        ];
        let mut all: Vec<LinkError> = over.map(LinkError::Over).into();
        all.extend([LinkError::Forged, LinkError::Expired, LinkError::Form]);
        all.push(LinkError::Unfit("it is too long".to_owned()));
        for error in all {
            assert_eq!(english.why(&error), error.to_string());
            for language in ["de", "zh"] {
                assert_ne!(words_in(language).why(&error), error.to_string());
            }
        }
        assert_eq!(words_in("tlh").language, "en");
    }
}
