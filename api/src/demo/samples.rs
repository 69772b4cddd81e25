//! The procedures of a small organisation that runs IT services: what `demo` shows, and models for one's own.

use sopwith_domain::content::{ChangeKind, Content};
use sopwith_domain::policy::Risk;

/// How far a sample is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleStage {
    /// All its versions are published, one after the other.
    Published,
    /// Its only version is submitted, and waits for approval.
    InReview,
    /// Its only version is still being written.
    Draft,
}

/// A process with its procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Key of the process.
    pub process_key: &'static str,
    /// What people call the process.
    pub process_name: &'static str,
    /// How it runs today, in a sentence or two.
    pub process_description: &'static str,
    /// Key of the team that performs it.
    pub team_key: &'static str,
    /// What people call the team.
    pub team_name: &'static str,
    /// What stands before the number in the SOP's code.
    pub code_prefix: &'static str,
    /// How much harm a mistake can do.
    pub risk: Risk,
    /// How often the SOP is to be reviewed, in months.
    pub review_cadence_months: i32,
    /// How far it is taken.
    pub stage: SampleStage,
    /// Its versions, oldest first, each with the reach of its change.
    pub versions: Vec<(ChangeKind, Content)>,
}

/// A sample file cannot be read as the content of a version.
#[derive(Debug, thiserror::Error)]
#[error("samples/{file}: {source}")]
pub struct SampleError {
    /// Name of the file.
    pub file: &'static str,
    /// What is wrong in it.
    #[source]
    pub source: serde_json::Error,
}

/// All samples.
///
/// # Errors
/// The first file that is not the content of a version.
pub fn samples() -> Result<Vec<Sample>, SampleError> {
    SOURCES.iter().map(Source::read).collect()
}

struct Team {
    key: &'static str,
    name: &'static str,
    code_prefix: &'static str,
}

const SERVICE_DESK: Team = Team { key: "service-desk", name: "Service desk", code_prefix: "SD" };
const PLATFORM: Team = Team { key: "platform", name: "Platform", code_prefix: "PLT" };
const PEOPLE_OPS: Team = Team { key: "people-ops", name: "People operations", code_prefix: "PO" };
const SECURITY: Team = Team { key: "security", name: "Security", code_prefix: "SEC" };

struct SourceFile {
    kind: ChangeKind,
    name: &'static str,
    text: &'static str,
}

macro_rules! file {
    ($kind:ident, $name:literal) => {
        SourceFile { kind: ChangeKind::$kind, name: $name, text: include_str!(concat!("samples/", $name)) }
    };
}

struct Source {
    process: (&'static str, &'static str, &'static str),
    team: Team,
    risk: Risk,
    cadence: i32,
    stage: SampleStage,
    files: &'static [SourceFile],
}

impl Source {
    fn read(&self) -> Result<Sample, SampleError> {
        let (process_key, process_name, process_description) = self.process;
        let content = |file: &SourceFile| match serde_json::from_str(file.text) {
            Ok(content) => Ok((file.kind, content)),
            Err(source) => Err(SampleError { file: file.name, source }),
        };
        Ok(Sample {
            process_key,
            process_name,
            process_description,
            team_key: self.team.key,
            team_name: self.team.name,
            code_prefix: self.team.code_prefix,
            risk: self.risk,
            review_cadence_months: self.cadence,
            stage: self.stage,
            versions: self.files.iter().map(content).collect::<Result<_, _>>()?,
        })
    }
}

const SOURCES: [Source; 8] = [
    Source {
        process: (
            "password-reset",
            "Password reset",
            "Staff who cannot sign in ring the service desk, write a ticket or come by. About twenty a week.",
        ),
        team: SERVICE_DESK,
        risk: Risk::Low,
        cadence: 12,
        stage: SampleStage::Published,
        files: &[file!(Material, "password-reset-1.0.json"), file!(Material, "password-reset-2.0.json")],
    },
    Source {
        process: (
            "deploy-to-production",
            "Deployment to production",
            "Releases of customer-facing services, on most working days, by whoever of the team is on duty.",
        ),
        team: PLATFORM,
        risk: Risk::High,
        cadence: 6,
        stage: SampleStage::Published,
        files: &[file!(Material, "deploy-to-production-1.0.json")],
    },
    Source {
        process: (
            "database-failover",
            "Failover of the order database",
            "Rare and under pressure: the standby takes over when the primary is lost, or for planned work on it.",
        ),
        team: PLATFORM,
        risk: Risk::High,
        cadence: 6,
        stage: SampleStage::Published,
        files: &[file!(Material, "database-failover-1.0.json")],
    },
    Source {
        process: (
            "onboard-employee",
            "Onboarding of an employee",
            "People operations, the hiring manager, IT support and security each do a part; hand-overs are by mail.",
        ),
        team: PEOPLE_OPS,
        risk: Risk::Medium,
        cadence: 12,
        stage: SampleStage::Published,
        files: &[file!(Material, "onboard-employee-1.0.json"), file!(Editorial, "onboard-employee-1.1.json")],
    },
    Source {
        process: (
            "rotate-tls-certificate",
            "Rotation of a TLS certificate",
            "Certificates of public host names that nothing renews by itself, by hand and with the proxy playbook.",
        ),
        team: PLATFORM,
        risk: Risk::Medium,
        cadence: 6,
        stage: SampleStage::Published,
        files: &[file!(Material, "rotate-tls-certificate-1.0.json")],
    },
    Source {
        process: (
            "security-incident-triage",
            "Triage of security alerts",
            "The analyst on duty looks at each alert and decides whether it is an incident. Six or seven a week.",
        ),
        team: SECURITY,
        risk: Risk::High,
        cadence: 6,
        stage: SampleStage::Published,
        files: &[file!(Material, "security-incident-triage-1.0.json")],
    },
    Source {
        process: (
            "backup-restore-test",
            "Test of backups",
            "Planned monthly, done when somebody finds the time. What is checked differs from test to test.",
        ),
        team: PLATFORM,
        risk: Risk::Medium,
        cadence: 12,
        stage: SampleStage::InReview,
        files: &[file!(Material, "backup-restore-test-1.0.json")],
    },
    Source {
        process: (
            "lost-device",
            "Lost and stolen devices",
            "Reported to whoever answers the telephone. It is not settled who locks the device, nor how soon.",
        ),
        team: SERVICE_DESK,
        risk: Risk::Medium,
        cadence: 12,
        stage: SampleStage::Draft,
        files: &[file!(Material, "lost-device-1.0.json")],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use sopwith_domain::content::{Document, PartChangeKind, beyond_editorial, diff, is_key};

    use super::*;

    fn documents(process: &str) -> Vec<Document> {
        let all = samples().unwrap();
        let sample = all.into_iter().find(|s| s.process_key == process).unwrap();
        sample.versions.into_iter().map(|(kind, content)| Document { kind, effective_at: None, content }).collect()
    }

    #[test]
    fn six_are_published_one_waits_and_one_is_being_written() {
        let all = samples().unwrap();
        let count = |stage| all.iter().filter(|s| s.stage == stage).count();
        assert_eq!([SampleStage::Published, SampleStage::InReview, SampleStage::Draft].map(count), [6, 1, 1]);
        let keys: BTreeSet<_> = all.iter().map(|s| s.process_key).collect();
        assert_eq!(keys.len(), all.len());
        assert!(all.iter().all(|s| is_key(s.process_key) && is_key(s.team_key)));
        assert!(all.iter().all(|s| [3, 6, 12].contains(&s.review_cadence_months)));
    }

    #[test]
    fn every_version_can_be_submitted() {
        for sample in samples().unwrap() {
            for (_, content) in &sample.versions {
                assert_eq!(content.check_complete(), [], "{}", sample.process_key);
            }
        }
    }

    /// A misspelt field would be passed over in silence, since absent fields have defaults.
    #[test]
    fn nothing_in_a_file_is_lost_in_reading() {
        for file in SOURCES.iter().flat_map(|s| s.files) {
            let content: Content = serde_json::from_str(file.text).unwrap();
            let raw: Value = serde_json::from_str(file.text).unwrap();
            assert!(within(&raw, &serde_json::to_value(&content).unwrap()), "{}", file.name);
        }
    }

    fn within(part: &Value, whole: &Value) -> bool {
        match (part, whole) {
            (Value::Object(a), Value::Object(b)) => a.iter().all(|(k, v)| b.get(k).is_some_and(|w| within(v, w))),
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(v, w)| within(v, w)),
            _ => part == whole,
        }
    }

    #[test]
    fn every_version_is_a_model() {
        for sample in samples().unwrap() {
            for (_, c) in &sample.versions {
                let at = sample.process_key;
                assert!((5..=9).contains(&c.steps.len()), "{at}");
                assert!(!c.scope.is_empty() && !c.out_of_scope.is_empty(), "{at}");
                assert!(!c.audience.is_empty() && !c.prerequisites.is_empty() && !c.sections.is_empty(), "{at}");
                assert!(c.references.iter().all(|r| !r.clause.is_empty() && r.url.starts_with("https://")), "{at}");
                assert!(c.references.len() > 1 && c.steps.iter().any(|s| !s.mandatory), "{at}");
                assert!(c.steps.iter().any(|s| !s.checkpoint.is_empty()), "{at}");
                for s in &c.steps {
                    let at = format!("{at}: {}", s.key);
                    assert!(s.expected_duration.is_some() && !s.expected_outcome.is_empty(), "{at}");
                    assert!(!s.tools.is_empty() && !s.inputs.is_empty() && !s.failures.is_empty(), "{at}");
                    assert!(s.failures.iter().all(|f| !f.symptom.is_empty() && !f.remedy.is_empty()), "{at}");
                    assert_ne!(s.branches.len(), 1, "{at}: a decision has two ways out at least");
                }
            }
        }
    }

    #[test]
    fn the_second_password_reset_adds_a_step_and_changes_a_role() {
        let [first, second] = documents("password-reset").try_into().unwrap();
        assert_eq!(second.kind, ChangeKind::Material);
        let steps = diff(&first, &second).steps;
        let added: Vec<_> = steps.iter().filter(|s| s.kind == PartChangeKind::Added).map(|s| s.key.as_str()).collect();
        assert_eq!(added, ["revoke-sessions"]);
        assert!(steps.iter().any(|s| s.kind == PartChangeKind::Changed && s.fields.iter().any(|f| f.field == "role")));
        assert_ne!(beyond_editorial(&first, &second), []);
    }

    #[test]
    fn the_second_onboarding_only_changes_words() {
        let [first, second] = documents("onboard-employee").try_into().unwrap();
        assert_eq!(second.kind, ChangeKind::Editorial);
        assert_eq!(beyond_editorial(&first, &second), []);
        assert!(!diff(&first, &second).steps.is_empty());
    }
}
