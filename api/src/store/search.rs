//! Full-text search over what is published.

use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, FromQueryResult, Statement};
use sopwith_domain::content::Content;
use sopwith_domain::ids::SopId;

use super::Connection;
use crate::error::Result;

/// A published SOP that was found.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Hit {
    /// Which.
    pub sop_id: Uuid,
    /// How well it fits: higher is better; comparable within one answer only.
    pub score: f64,
    /// Where it fits, the words found between `«` and `»`.
    pub snippet: String,
}

/// The texts of a document, by weight.
struct Texts {
    title: String,
    symptoms: String,
    tools: String,
    body: String,
}

/// Puts the content in force of an SOP in the place of what was indexed of it before.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn index(db: &impl Connection, sop: SopId, content: &Content) -> Result<()> {
    remove(db, sop).await?;
    let Texts { title, symptoms, tools, body } = texts(content);
    let insert = match db.get_database_backend() {
        DbBackend::Sqlite => {
            "INSERT INTO search_document (sop_id, title, symptoms, tools, body) VALUES (?, ?, ?, ?, ?)"
        }
        _ => "INSERT INTO search_document (sop_id, title, symptoms, tools, body) VALUES ($1, $2, $3, $4, $5)",
    };
    let values: [Value; 5] = [sop.0.into(), title.into(), symptoms.into(), tools.into(), body.into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), insert, values)).await?;
    Ok(())
}

/// Takes an SOP out of the search.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn remove(db: &impl Connection, sop: SopId) -> Result<()> {
    let delete = match db.get_database_backend() {
        DbBackend::Sqlite => "DELETE FROM search_document WHERE sop_id = ?",
        _ => "DELETE FROM search_document WHERE sop_id = $1",
    };
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), delete, [sop.0.into()])).await?;
    Ok(())
}

fn texts(content: &Content) -> Texts {
    let mut symptoms = vec![content.objective.clone()];
    let mut tools = Vec::new();
    let mut body = vec![content.scope.clone()];
    for section in &content.sections {
        body.extend([section.heading.clone(), section.body.clone()]);
    }
    for step in &content.steps {
        body.extend([step.instruction.clone(), step.detail.clone(), step.expected_outcome.clone()]);
        body.extend(step.code_blocks.iter().map(|code| code.text.clone()));
        body.extend(step.failures.iter().map(|failure| failure.remedy.clone()));
        symptoms.extend(step.failures.iter().map(|failure| failure.symptom.clone()));
        tools.extend(step.tools.clone());
    }
    let join = |parts: Vec<String>, most: usize| capped(split_names(&parts.join("\n")), most);
    Texts {
        title: split_names(&content.title),
        symptoms: join(symptoms, MAX_SYMPTOMS),
        tools: join(tools, MAX_TOOLS),
        body: join(body, MAX_BODY),
    }
}

/// The most bytes of each text that are indexed: PostgreSQL holds at most a megabyte of distinct words per document.
const MAX_BODY: usize = 250_000;
const MAX_SYMPTOMS: usize = 60_000;
const MAX_TOOLS: usize = 20_000;

fn capped(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
    }
    text
}

/// Adds, after every name such as `KubePodCrashLooping`, its words: whoever is woken at night types them apart.
fn split_names(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(word);
        let apart = words_of(word);
        if apart.len() > 1 {
            out.push(' ');
            out.push_str(&apart.join(" "));
        }
    }
    out
}

fn words_of(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.trim().chars().collect();
    if letters.is_empty() || !letters.iter().all(char::is_ascii_alphanumeric) {
        return Vec::new();
    }
    let mut words = vec![String::new()];
    for (i, c) in letters.iter().enumerate() {
        let after_lower = i > 0 && letters[i - 1].is_ascii_lowercase();
        let before_lower = letters.get(i + 1).is_some_and(char::is_ascii_lowercase);
        let starts = c.is_ascii_uppercase() && i > 0 && (after_lower || before_lower);
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(*c);
        }
    }
    words
}

/// The published SOPs that fit a text, best first: those with all of its words, or where there are none those with
/// any of them. A word also finds longer ones that begin with it.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &impl Connection, text: &str, limit: u64) -> Result<Vec<Hit>> {
    let words = query_words(text);
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let all = run(db, &words, true, limit).await?;
    if all.is_empty() && words.len() > 1 { run(db, &words, false, limit).await } else { Ok(all) }
}

/// The most words of a query that count: a pasted log line is long.
const MAX_WORDS: usize = 32;

fn query_words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.take(MAX_WORDS).map(str::to_lowercase).collect()
}

async fn run(db: &impl Connection, words: &[String], all: bool, limit: u64) -> Result<Vec<Hit>> {
    let backend = db.get_database_backend();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = if backend == DbBackend::Sqlite {
        let terms: Vec<String> = words.iter().map(|w| format!("\"{w}\"*")).collect();
        let query = terms.join(if all { " AND " } else { " OR " });
        Statement::from_sql_and_values(
            backend,
            "SELECT sop_id, -bm25(search_document, 0.0, 10.0, 4.0, 2.0, 1.0) AS score, \
                 snippet(search_document, -1, '«', '»', '…', 24) AS snippet \
             FROM search_document WHERE search_document MATCH ? ORDER BY score DESC, sop_id LIMIT ?",
            [query.into(), limit.into()],
        )
    } else {
        let terms: Vec<String> = words.iter().map(|w| format!("{w}:*")).collect();
        let query = terms.join(if all { " & " } else { " | " });
        Statement::from_sql_and_values(
            backend,
            "SELECT sop_id, ts_rank('{0.1, 0.2, 0.4, 1.0}', words, query)::float8 AS score, \
                 ts_headline('english', concat_ws(' … ', title, symptoms, tools, body), query, \
                     'StartSel=«, StopSel=», MaxWords=24, MinWords=8') AS snippet \
             FROM search_document, to_tsquery('english', $1) AS query WHERE words @@ query \
             ORDER BY score DESC, sop_id LIMIT $2",
            [query.into(), limit.into()],
        )
    };
    Ok(Hit::find_by_statement(statement).all(db).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_also_found_by_their_words() {
        assert_eq!(split_names("KubePodCrashLooping"), "KubePodCrashLooping Kube Pod Crash Looping");
        assert_eq!(split_names("etcdNoLeader fires"), "etcdNoLeader etcd No Leader fires");
        assert_eq!(split_names("the APIServer"), "the APIServer API Server");
        assert_eq!(query_words("pod: \"Crash*Looping\" --!"), ["pod", "crash", "looping"]);
    }
}
