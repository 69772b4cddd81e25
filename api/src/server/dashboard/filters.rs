//! What is shown, and how to show something else: links and forms, which need no script.

use maud::{Markup, html};

use super::view::View;
use super::wanted::{BUCKETS, OFFERED, Order, Wanted, bucket_key};
use super::{Form, Place};
use crate::app::board::Choices;

/// The filters of a page.
pub fn section(view: &View<'_>, choices: &Choices) -> Markup {
    let path = view.place.path(Form::Page);
    html! {
        section.filters aria-label="What is shown" {
            (times(view, &path))
            details open[is_narrowed(view.wanted)] {
                summary { "Filter" }
                form.filter method="get" action=(path) {
                    @if *view.place == Place::Overview {
                        (pick("sop", "SOP", "All", None, choices.sops.iter().map(|sop| (sop.code.as_str(), sop.title.as_str())), choices.more))
                        (pick("process", "Process", "All", view.wanted.process.as_deref(),
                            choices.processes.iter().map(|process| (process.key.as_str(), process.name.as_str())), choices.more))
                    }
                    (pick("team", "Team", "All", view.wanted.team.as_deref(),
                        choices.teams.iter().map(|team| (team.key.as_str(), team.name.as_str())), false))
                    (day("from", "From", view.wanted.from.map(|day| day.to_string())))
                    (day("to", "To", view.wanted.to.map(|day| day.to_string())))
                    (pick("bucket", "One point for", "As it fits", view.wanted.bucket.and_then(bucket_key),
                        BUCKETS.iter().map(|(key, name, _)| (*key, *name)), false))
                    @if let Some(days) = view.wanted.days { input type="hidden" name="days" value=(days); }
                    @if view.wanted.order != Order::default() { input type="hidden" name="order" value=(view.wanted.order.key()); }
                    div.buttons {
                        button type="submit" { "Show" }
                        @if is_narrowed(view.wanted) { a href=(path) { "Without filters" } }
                    }
                }
            }
        }
    }
}

fn is_narrowed(wanted: &Wanted) -> bool {
    wanted.process.is_some()
        || wanted.team.is_some()
        || wanted.from.is_some()
        || wanted.to.is_some()
        || wanted.bucket.is_some()
}

/// The times that most people look at, as links.
fn times(view: &View<'_>, path: &str) -> Markup {
    let to = |days| Wanted { days: Some(days), from: None, to: None, bucket: None, ..view.wanted.clone() };
    html! {
        nav.times aria-label="Time" {
            ul {
                @for days in OFFERED {
                    li {
                        a href=(to(days).at(path)) aria-current=[(view.wanted.days() == Some(days)).then_some("true")] {
                            @if days == 365 { "1 year" } @else { (days) " days" }
                        }
                    }
                }
            }
        }
    }
}

/// One of several, or all. Where there are more than are listed, it can be typed.
fn pick<'a>(
    name: &str,
    label: &str,
    all: &str,
    chosen: Option<&str>,
    offered: impl Iterator<Item = (&'a str, &'a str)>,
    more: bool,
) -> Markup {
    let offered: Vec<_> = offered.collect();
    html! {
        div.field {
            label for=(name) { (label) }
            @if more {
                input id=(name) name=(name) value=[chosen] list=(format!("{name}-list")) placeholder=(all) autocapitalize="none" autocomplete="off";
                datalist id=(format!("{name}-list")) { @for (key, text) in &offered { option value=(key) { (text) } } }
            } @else {
                select id=(name) name=(name) {
                    option value="" { (all) }
                    @for (key, text) in &offered {
                        option value=(key) selected[chosen == Some(*key)] {
                            @if name == "sop" { (key) " " }
                            (text)
                        }
                    }
                }
            }
        }
    }
}

fn day(name: &str, label: &str, value: Option<String>) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="date" value=[value];
        }
    }
}
