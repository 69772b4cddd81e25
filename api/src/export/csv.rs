//! Entries as comma-separated values (RFC 4180), safe to open in a spreadsheet.
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-` or `@` for a formula, quoted or not, and people choose parts
//! of what is in an entry: reasons, and ids of requests. So an apostrophe is put before whatever could begin a formula:
//! at the beginning of a value, and inside it after whatever another program might take for the end of a cell, which are
//! `;`, tabs and ends of lines. Spaces before a formula do not hide it. An apostrophe that stands in such a place itself
//! gets one more, so that nothing is lost: to read a value back, one apostrophe is dropped in each such place.

use csv::{Terminator, WriterBuilder};
use sopwith_domain::audit::Link;

use crate::error::{Error, Result};

const COLUMNS: [&str; 15] = [
    "seq",
    "at",
    "actor",
    "onBehalfOf",
    "via",
    "action",
    "object",
    "sop",
    "team",
    "old",
    "new",
    "reason",
    "requestId",
    "previousHash",
    "hash",
];

/// The rows of entries, under the header in the first part.
pub fn part(first: bool, links: &[Link]) -> Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    if first {
        writer.write_record(COLUMNS).map_err(Error::internal)?;
    }
    for link in links {
        writer.write_record(row(link).map(|value| guarded(&value))).map_err(Error::internal)?;
    }
    writer.into_inner().map_err(Error::internal)
}

fn row(link: &Link) -> [String; COLUMNS.len()] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let entry = &link.entry;
    [
        entry.seq.to_string(),
        entry.at.to_string(),
        text(&entry.actor),
        text(&entry.on_behalf_of),
        entry.via.clone(),
        entry.action.clone(),
        entry.object.clone(),
        text(&entry.sop),
        text(&entry.team),
        entry.old.to_string(),
        entry.new.to_string(),
        text(&entry.reason),
        entry.request_id.clone(),
        text(&link.previous_hash),
        link.hash.clone(),
    ]
}

/// A value that no spreadsheet takes for a formula, whichever character it takes for the end of a cell.
pub fn guarded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut begins = true;
    for (at, character) in value.char_indices() {
        if begins && is_risky(&value[at..]) {
            out.push('\'');
        }
        out.push(character);
        begins = matches!(character, ';' | '\t' | '\r' | '\n');
    }
    out
}

/// Whether a cell of this text could be a formula, or could be taken for one that was guarded.
fn is_risky(cell: &str) -> bool {
    // The wide forms are those that some input methods write, and some spreadsheets read.
    let formula = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\''];
    cell.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}').starts_with(formula)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use sopwith_domain::audit::Entry;

    use super::*;

    /// Reads a guarded value back, as the documentation says.
    fn unguarded(value: &str) -> String {
        let mut out = String::new();
        let mut begins = true;
        for character in value.chars() {
            if begins && character == '\'' {
                begins = false;
                continue;
            }
            out.push(character);
            begins = matches!(character, ';' | '\t' | '\r' | '\n');
        }
        out
    }

    #[test]
    fn what_could_be_a_formula_is_text() {
        for (value, expected) in [
            ("=1+1", "'=1+1"),
            ("+49 30 1234", "'+49 30 1234"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("  =1", "'  =1"),
            ("\u{a0}=1", "'\u{a0}=1"),
            ("\u{feff}=1", "'\u{feff}=1"),
            ("'tis", "''tis"),
            ("a;=1", "a;'=1"),
            ("a; -1;b", "a;' -1;b"),
            ("a\n=1", "a\n'=1"),
            ("\t=1", "'\t'=1"),
            ("reads well; 1-2=3, he said", "reads well; 1-2=3, he said"),
            ("{\"n\":-1}", "{\"n\":-1}"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(guarded(value), expected, "{value:?}");
            assert_eq!(unguarded(expected), value);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_cell_is_a_formula(value in "[=+@'; \t\r\na\"\u{a0}\u{ff1d}\\-]{0,12}") {
            let shown = guarded(&value);
            prop_assert_eq!(unguarded(&shown), value);
            for cell in shown.split([';', '\t', '\r', '\n']) {
                prop_assert!(!cell.trim().starts_with(['=', '+', '-', '@', '\u{ff1d}']), "{:?} in {:?}", cell, shown);
            }
        }
    }

    #[test]
    fn rows_are_those_of_the_standard_and_read_back() {
        let entry = Entry {
            seq: 1,
            at: "2026-07-01T09:30:00Z".parse().unwrap(),
            actor: None,
            on_behalf_of: Some("per_1".to_owned()),
            via: "CLOCK".to_owned(),
            action: "x".to_owned(),
            object: "y".to_owned(),
            sop: None,
            team: None,
            old: json!(null),
            new: json!({"a": "b,\"c\""}),
            reason: Some("=cmd|' /C calc'!A0\nline, two".to_owned()),
            request_id: "-r".to_owned(),
        };
        let link = Link { entry, previous_hash: None, hash: "ab".to_owned() };
        let text = String::from_utf8(part(true, std::slice::from_ref(&link)).unwrap()).unwrap();
        let expected = "seq,at,actor,onBehalfOf,via,action,object,sop,team,old,new,reason,requestId,previousHash,hash\r\n\
            1,2026-07-01T09:30:00Z,,per_1,CLOCK,x,y,,,null,\"{\"\"a\"\":\"\"b,\\\"\"c\\\"\"\"\"}\",\"'=cmd|' /C calc'!A0\nline, two\",'-r,,ab\r\n";
        assert_eq!(text, expected);
        assert_eq!(part(false, &[]).unwrap(), b"");
        assert!(!part(true, &[]).unwrap().is_empty());
    }
}
