//! What ails an SOP, with the figures that led there, and what was chosen to be done about it.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::{Value, json};
use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::diagnosis::{ADOPTED, DAYS, Figure, Finding, Found, LEAST_RUNS, Of, Response, State};
use sopwith_domain::metrics::Ratio;

use super::measure::{Measure, Unit, counted, grouped, ratio};
use super::{axis, files, tables};
use crate::app::board::{Ailing, Chosen, Subject, Waited};
use crate::store::Uuid;

/// Names of teams by id.
type Teams = BTreeMap<Uuid, String>;

/// The part of the page.
pub fn section(waited: &Waited<Ailing>, subject: &Subject, zone: Zone) -> Markup {
    html! {
        section aria-labelledby="diagnosis" {
            h2 id="diagnosis" { "Diagnosis" }
            @match waited {
                Waited::Known(ailing) => (known(ailing, subject, zone)),
                Waited::Unknown => p.card {
                    "It could not be worked out while this page waited: there may be too many runs. The API tells it, as "
                    code { "diagnosis" } "."
                },
            }
        }
    }
}

fn known(ailing: &Ailing, subject: &Subject, zone: Zone) -> Markup {
    let (found, diagnosis) = (&ailing.found, &ailing.found.diagnosis);
    let earlier: Vec<&Chosen> =
        ailing.chosen.iter().filter(|chosen| !diagnosis.findings.iter().any(|one| chosen.is_about(one))).collect();
    html! {
        p.about {
            "By the " (counted(found.runs, "run", "runs")) ", of " (counted(found.people, "person", "people"))
            " as far as they are known, that started since "
            (axis::name(zone, Grain::Day, found.stretch.from)) ", with version " (subject.label(found.version.0).unwrap_or("–"))
            " in force: " (DAYS) " days at most, by all teams, whatever is chosen above."
        }
        @match diagnosis.state {
            State::Found => div.findings {
                @for one in &diagnosis.findings { (finding(one, ailing, zone)) }
            },
            State::NothingFound => p.card {
                strong { "Nothing stands out. " }
                "It is followed as far as one can tell, no more runs have errors than are tolerated, no step gives more trouble than the "
                "others, and teams work alike."
            },
            State::Insufficient => p.card {
                strong { "Too little is known. " }
                "Whether they followed it is known of " (grouped(diagnosis.adoption.denominator)) " runs; nothing is said of fewer than "
                (LEAST_RUNS) ". And no step and no team stands out."
            },
        }
        @if !earlier.is_empty() {
            details {
                summary { "Decided before, about what is not found now" }
                ul.decided { @for chosen in earlier { li { (about(chosen.finding, chosen.step.as_deref())) " " (decided(chosen, zone)) } } }
            }
        }
    }
}

fn finding(found: &Found, ailing: &Ailing, zone: Zone) -> Markup {
    let chosen: Vec<&Chosen> = ailing.chosen.iter().filter(|chosen| chosen.is_about(found)).collect();
    let proposed: Vec<&str> = found.kind().proposes().iter().map(|response| said(*response)).collect();
    html! {
        article.card.finding {
            h3 { (about(found.kind(), found.step())) }
            p { (found.summary()) }
            ul.evidence {
                @for figure in found.figures() {
                    li {
                        span.name { (name(&figure, &ailing.teams)) }
                        (tables::figure(Unit::Share, &measured(&figure)))
                    }
                }
            }
            p.made { (why(found)) }
            p { strong { "Proposed: " } (proposed.join(", or ")) "." }
            @if chosen.is_empty() {
                p.made { "Nothing was decided so far. The owner, or who manages the SOP, records it by " code { "diagnosisAnswer" } "." }
            } @else {
                ul.decided { @for chosen in chosen { li { (decided(chosen, zone)) } } }
            }
        }
    }
}

/// What was found, as a heading.
fn about(finding: Finding, step: Option<&str>) -> Markup {
    html! {
        @match finding {
            Finding::LowAdoption => "It is not followed enough",
            Finding::BadOutcomes => "It is followed, and goes wrong",
            Finding::TroubledStep => { "A step gives trouble: " bdi.code { (step.unwrap_or_default()) } },
            Finding::Inconsistent => "Teams do not work alike",
        }
    }
}

fn name(figure: &Figure, teams: &Teams) -> Markup {
    let team = figure.team.and_then(|team| teams.get(&team.0)).map_or("a team", String::as_str);
    html! {
        @match figure.of {
            Of::Adoption => "Runs that follow it",
            Of::ErrorsWhenFollowed => "Of those, runs with errors",
            Of::Step => "Runs with trouble on it",
            Of::OtherSteps => "On all other steps",
            Of::TeamAdoption => { "Followed in " bdi { (team) } },
            Of::TeamErrors => { "Errors in " bdi { (team) } },
        }
    }
}

/// With the interval that the finding goes by, which is wider than that of the share.
fn measured(figure: &Figure) -> Measure {
    let share = Ratio { numerator: figure.numerator, denominator: figure.denominator };
    Measure {
        numerator: Some(figure.numerator),
        n: figure.denominator,
        value: share.value().unwrap_or_default(),
        low: figure.low,
        high: figure.high,
    }
}

/// What makes a finding of the figures.
fn why(found: &Found) -> String {
    let share = |of: f64| format!("{:.0}\u{a0}%", of * 100.0);
    let threshold = share(found.threshold());
    let beyond = match found.kind() {
        Finding::LowAdoption => format!("it lies wholly under {threshold}"),
        Finding::BadOutcomes => {
            let adopted = share(ADOPTED);
            format!(
                "that of errors lies wholly over the {threshold} that are tolerated, that of adoption over {adopted}"
            )
        }
        Finding::TroubledStep => format!("that of the step lies wholly over {threshold}, and over that of the others"),
        Finding::Inconsistent => format!("they do not meet, and the shares are {threshold} or more apart"),
    };
    format!("By the intervals, which allow for runs of one person being alike: {beyond}.")
}

fn said(response: Response) -> &'static str {
    match response {
        Response::Communicate => "tell people of it",
        Response::Train => "teach it",
        Response::Revise => "write its next version",
        Response::RewriteStep => "rewrite the step",
        Response::AlignTeams => "let teams learn from each other",
        Response::Watch => "wait and watch",
    }
}

fn decided(chosen: &Chosen, zone: Zone) -> Markup {
    html! {
        strong { "Decided: " (said(chosen.response)) "." }
        @if !chosen.note.is_empty() { " “" bdi { (chosen.note) } "”" }
        span.made {
            (axis::name(zone, Grain::Day, chosen.at))
            @if let Some(by) = &chosen.by { ", " bdi { (by) } }
            @if let Some(version) = &chosen.version { ", under version " (version) }
        }
    }
}

/// The same for programs, in the names of the API; null where it takes too long.
pub fn told(waited: &Waited<Ailing>, subject: &Subject) -> Value {
    let Waited::Known(Ailing { found, chosen, teams }) = waited else { return Value::Null };
    let share = |of: Ratio| ratio(of).map(|measure| files::figure(Unit::Share, &measure));
    let figure = |figure: Figure| {
        let mut told = files::figure(Unit::Share, &measured(&figure));
        told["of"] = json!(figure.of);
        told["team"] = json!(figure.team.and_then(|team| teams.get(&team.0)));
        told
    };
    let finding = |one: &Found| {
        json!({
            "kind": one.kind(),
            "summary": one.summary(),
            "stepKey": one.step(),
            "figures": one.figures().into_iter().map(figure).collect::<Vec<_>>(),
            "threshold": one.threshold(),
            "proposes": one.kind().proposes(),
        })
    };
    let response = |one: &Chosen| {
        json!({
            "finding": one.finding, "stepKey": one.step, "response": one.response, "note": one.note,
            "version": one.version, "createdBy": one.by, "createdAt": one.at,
        })
    };
    json!({
        "state": found.diagnosis.state,
        "version": subject.label(found.version.0),
        "from": found.stretch.from,
        "to": found.stretch.to,
        "runs": found.runs,
        "people": found.people,
        "adoption": share(found.diagnosis.adoption),
        "errorsWhenFollowed": share(found.diagnosis.errors_when_followed),
        "findings": found.diagnosis.findings.iter().map(finding).collect::<Vec<_>>(),
        "responses": chosen.iter().map(response).collect::<Vec<_>>(),
    })
}
