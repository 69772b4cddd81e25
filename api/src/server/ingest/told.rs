//! Answers as lines: what GraphQL answers for an item, with all of its fields.

use actix_web::web::Bytes;
use serde::Serialize;

use crate::app::executions::Answer;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    index: u64,
    status: &'static str,
    execution_id: Option<String>,
    rejection: Option<Rejected<'a>>,
}

#[derive(Serialize)]
struct Rejected<'a> {
    code: &'static str,
    path: Vec<&'a str>,
    message: &'a str,
}

/// A line for each answer, counted on from `index`.
///
/// # Errors
/// Never, unless memory is not enough.
pub fn lines(answers: impl Iterator<Item = Answer>, index: &mut u64) -> serde_json::Result<Bytes> {
    let mut text = Vec::new();
    for answer in answers {
        let execution_id = match &answer {
            Answer::Created(id) | Answer::Updated(id) | Answer::Stale(id) => Some(id.to_string()),
            Answer::Duplicate | Answer::Conflict | Answer::Rejected(_) => None,
        };
        let rejection = if let Answer::Rejected(rejection) = &answer {
            let path = rejection.path.split('.').filter(|name| !name.is_empty()).collect();
            Some(Rejected { code: rejection.code.as_str(), path, message: &rejection.message })
        } else {
            None
        };
        serde_json::to_writer(&mut text, &Line { index: *index, status: answer.status(), execution_id, rejection })?;
        text.push(b'\n');
        *index += 1;
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use sopwith_domain::execution::{Rejection, RejectionCode};
    use sopwith_domain::ids::ExecutionId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn have_all_fields_and_count_on() {
        let rejected = |path: &str| Answer::Rejected(Rejection::new(RejectionCode::InFuture, path, "no \"\n"));
        let id = ExecutionId(Uuid::nil());
        let mut index = 999;
        let all = [Answer::Created(id), Answer::Duplicate, rejected("steps.0.key"), rejected("")];
        let text = lines(all.into_iter(), &mut index).unwrap();
        let nil = "0".repeat(32);
        let expected = [
            format!(r#"{{"index":999,"status":"CREATED","executionId":"exe_{nil}","rejection":null}}"#),
            r#"{"index":1000,"status":"DUPLICATE","executionId":null,"rejection":null}"#.to_owned(),
            r#"{"index":1001,"status":"REJECTED","executionId":null,"rejection":{"code":"IN_FUTURE","path":["steps","0","key"],"message":"no \"\n"}}"#.to_owned(),
            r#"{"index":1002,"status":"REJECTED","executionId":null,"rejection":{"code":"IN_FUTURE","path":[],"message":"no \"\n"}}"#.to_owned(),
        ];
        assert_eq!(std::str::from_utf8(&text).unwrap().lines().collect::<Vec<_>>(), expected);
        assert!(text.ends_with(b"\n") && index == 1003);
    }
}
