//! The fields of a JSON object, read one by one, so that what is wrong is told with its place and in our words. Values
//! stay text until they are read as what they are to be: nothing that is not wanted takes memory.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use sopwith_domain::execution::{Rejection, RejectionCode};

type Result<T> = std::result::Result<T, Rejection>;

/// What a value is to be, for who is told that it is not.
pub const TEXT: &str = "text";
/// An instant.
pub const INSTANT: &str = "a time such as 2026-07-01T09:30:00Z";
/// A number without a fraction.
pub const WHOLE: &str = "a whole number";
const OBJECT: &str = "an object";
const OBJECTS: &str = "a list of objects";

/// One of several texts.
pub struct OneOf<'a, T>(pub &'a [T]);

impl<T: Display> Display for OneOf<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(T::to_string).collect();
        write!(f, "one of {}", all.join(", "))
    }
}

/// A rejection of what stands at a place.
pub fn invalid(path: impl Into<String>, why: impl Into<String>) -> Rejection {
    Rejection::new(RejectionCode::Invalid, path, why)
}

/// The fields of an object that were not read yet.
pub struct Fields<'a> {
    /// Where the object stands in the item; empty at its root.
    path: String,
    left: BTreeMap<String, &'a RawValue>,
}

impl<'a> Fields<'a> {
    /// Those of a whole item.
    ///
    /// # Errors
    /// When the text is no JSON object.
    pub fn whole(text: &'a [u8]) -> Result<Self> {
        let text = std::str::from_utf8(text).map_err(|_| invalid("", "this is no JSON: it is not UTF-8"))?;
        let members: Members<'a> = serde_json::from_str(text).map_err(|error| match error.classify() {
            Category::Data => invalid("", format!("this must be {OBJECT}")),
            _ => invalid("", format!("this is no JSON: see its line {}, column {}", error.line(), error.column())),
        })?;
        Self::of(members, String::new())
    }

    fn of(members: Members<'a>, path: String) -> Result<Self> {
        let fields = Self { path, left: members.by_name };
        match members.repeated {
            Some(name) => Err(invalid(fields.place(&name), "this is given twice")),
            None => Ok(fields),
        }
    }

    fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn wrong(&self, name: &str, wanted: impl Display) -> Rejection {
        invalid(self.place(name), format!("this must be {wanted}"))
    }

    /// What was found under a name that has to be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn needed<T>(&self, name: &str, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| invalid(self.place(name), "this is needed"))
    }

    /// A value; none where it is absent or null.
    ///
    /// # Errors
    /// When it is not what is `wanted`.
    pub fn value<T: Deserialize<'a>>(&mut self, name: &str, wanted: impl Display) -> Result<Option<T>> {
        let Some(raw) = self.left.remove(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map_err(|_| self.wrong(name, wanted))
    }

    /// A value where null says nothing that could be meant.
    ///
    /// # Errors
    /// When it is not what is `wanted`.
    pub fn value_or<T: Deserialize<'a>>(&mut self, name: &str, wanted: impl Display, absent: T) -> Result<T> {
        let Some(raw) = self.left.remove(name) else { return Ok(absent) };
        serde_json::from_str(raw.get()).map_err(|_| self.wrong(name, wanted))
    }

    /// A text.
    ///
    /// # Errors
    /// When it is none.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.value(name, TEXT)
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// When it is none.
    pub fn needed_text(&mut self, name: &str) -> Result<String> {
        let found = self.text(name)?;
        self.needed(name, found)
    }

    /// What a text stands for.
    ///
    /// # Errors
    /// When it is not what is `wanted`.
    pub fn parsed<T: FromStr>(&mut self, name: &str, wanted: impl Display) -> Result<Option<T>> {
        let Some(text) = self.value::<String>(name, &wanted)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.wrong(name, &wanted))
    }

    /// The fields of an object within.
    ///
    /// # Errors
    /// When it is none.
    pub fn object(&mut self, name: &str) -> Result<Option<Self>> {
        let place = self.place(name);
        self.value(name, OBJECT)?.map(|members| Self::of(members, place)).transpose()
    }

    /// The fields of an object within that is an item of its own: places in it are told from its root.
    ///
    /// # Errors
    /// When it is none.
    pub fn root(&mut self, name: &str) -> Result<Option<Self>> {
        self.value(name, OBJECT)?.map(|members| Self::of(members, String::new())).transpose()
    }

    /// A list of objects, each read by `read`.
    ///
    /// # Errors
    /// When it is none, and those of `read`.
    pub fn objects<T>(&mut self, name: &str, read: impl Fn(Fields<'a>) -> Result<T>) -> Result<Option<Vec<T>>> {
        let Some(all) = self.value::<Vec<Members<'a>>>(name, OBJECTS)? else { return Ok(None) };
        let place = self.place(name);
        let read = |(at, members): (usize, Members<'a>)| read(Self::of(members, format!("{place}.{at}"))?);
        all.into_iter().enumerate().map(read).collect::<Result<_>>().map(Some)
    }

    /// Whether a field is there and null.
    pub fn is_null(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|raw| raw.get() == "null")
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When a field is left.
    pub fn end(self) -> Result<()> {
        match self.left.keys().next() {
            Some(name) => Err(invalid(self.place(&shown(name)), "there is no such field")),
            None => Ok(()),
        }
    }
}

/// A name as it is told back: no longer than somebody reads.
fn shown(name: &str) -> String {
    name.chars().take(100).collect()
}

/// The members of a JSON object, still as text.
struct Members<'a> {
    by_name: BTreeMap<String, &'a RawValue>,
    /// A name that is there twice: nobody can say which value is meant.
    repeated: Option<String>,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(OBJECT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members<'de>, A::Error> {
        let mut members = Members { by_name: BTreeMap::new(), repeated: None };
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if members.by_name.contains_key(&name) {
                members.repeated = Some(shown(&name));
            }
            members.by_name.insert(name, value);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, read: impl FnOnce(&mut Fields) -> Result<()>) -> (String, String) {
        let wrong = Fields::whole(text.as_bytes()).and_then(|mut fields| read(&mut fields)).expect_err(text);
        assert_eq!(wrong.code, RejectionCode::Invalid);
        (wrong.path, wrong.message)
    }

    #[test]
    fn what_is_no_object_is_told_so() {
        for text in
            ["", "{", "{\"a\":}", "{} {}", "nonsense", "{\"a\":tru}", "{\"a\":\"\\x\"}", "{'a':1}", "{\"a\":[1,]}"]
        {
            let (path, why) = told(text, |_| Ok(()));
            assert!(
                path.is_empty() && why.starts_with("this is no JSON: see its line 1, column "),
                "{text}: {path} {why}"
            );
        }
        for text in ["1", "[]", "[", "null", "\"text\"", "true"] {
            assert_eq!(told(text, |_| Ok(())), (String::new(), "this must be an object".to_owned()), "{text}");
        }
        let wrong = Fields::whole(b"{\"a\":\"\xFF\"}").err().expect("not UTF-8");
        assert!(wrong.message.contains("UTF-8"));
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert!(Fields::whole(deep.as_bytes()).is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let at = |path: &str, why: &str| (path.to_owned(), why.to_owned());
        assert_eq!(told(r#"{"a":1,"b":2,"a":3}"#, |_| Ok(())), at("a", "this is given twice"));
        let text = |fields: &mut Fields| fields.text("a").map(drop);
        assert_eq!(told(r#"{"a":1}"#, text), at("a", "this must be text"));
        assert_eq!(told(r#"{"a":"\ud800"}"#, text), at("a", "this must be text"));
        assert_eq!(told(r#"{"a":null}"#, |f| f.needed_text("a").map(drop)), at("a", "this is needed"));
        let inner = |fields: &mut Fields| fields.objects("a", |mut of| of.text("b")).map(drop);
        assert_eq!(told(r#"{"a":[{"b":"x"},{"b":[]}]}"#, inner), at("a.1.b", "this must be text"));
        assert_eq!(told(r#"{"a":[{"b":"x","b":"y"}]}"#, inner), at("a.0.b", "this is given twice"));
        for list in [r#"{"a":{}}"#, r#"{"a":[1]}"#, r#"{"a":[null]}"#] {
            assert_eq!(told(list, inner), at("a", "this must be a list of objects"), "{list}");
        }
        let whole = |fields: &mut Fields| fields.value::<i32>("a", WHOLE).map(drop);
        for number in ["1.5", "1e30", "2147483648", "\"1\"", "true", "{}"] {
            assert_eq!(told(&format!("{{\"a\":{number}}}"), whole), at("a", "this must be a whole number"), "{number}");
        }
        let one_of =
            |fields: &mut Fields| fields.parsed::<RejectionCode>("a", OneOf(&RejectionCode::ALL[..2])).map(drop);
        assert_eq!(told(r#"{"a":"invalid"}"#, one_of), at("a", "this must be one of INVALID, IN_FUTURE"));
        assert_eq!(told(r#"{"a":{"INVALID":null}}"#, one_of), at("a", "this must be one of INVALID, IN_FUTURE"));
    }

    #[test]
    fn what_is_left_is_not_known() {
        let mut fields = Fields::whole(br#"{"b":{"c":1,"d":null},"a":null}"#).expect("an object");
        assert!(fields.is_null("a") && !fields.is_null("b") && fields.text("a").unwrap().is_none());
        let mut inner = fields.object("b").unwrap().expect("an object");
        assert_eq!(inner.value_or("x", WHOLE, 7).unwrap(), 7);
        assert!(inner.value_or("d", WHOLE, 7).is_err());
        let wrong = inner.end().unwrap_err();
        assert_eq!((wrong.path.as_str(), wrong.message.as_str()), ("b.c", "there is no such field"));
        assert!(fields.end().is_ok());
    }
}
