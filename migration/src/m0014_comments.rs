//! Review comments on versions, in threads, and who is mentioned in them.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await?;
        for refusal in &REFUSALS {
            refusal.create(manager).await?;
        }
        Ok(())
    }
}

/// A reply has a `thread_id`; only what begins a thread can be resolved, and names a step or none.
const TABLES: &[&str] = &[
    "UPDATE role SET permissions = 'DRAFT_READ DRAFT_COMMENT SOP_WRITE PROCESS_WRITE' WHERE name = 'author'",
    "UPDATE role SET permissions = 'DRAFT_READ DRAFT_COMMENT' WHERE name IN ('reviewer', 'approver')",
    "UPDATE role SET permissions =
        'DRAFT_READ DRAFT_COMMENT SOP_MANAGE PROCESS_WRITE POLICY_MANAGE FIGURES_READ AUDIT_READ' WHERE name = 'manager'",
    "CREATE TABLE review_comment (
        id UUID PRIMARY KEY,
        version_id UUID NOT NULL REFERENCES version (id),
        thread_id UUID REFERENCES review_comment (id),
        step_key text,
        content_hash text NOT NULL REFERENCES content (hash),
        author_id UUID NOT NULL REFERENCES person (id),
        body text NOT NULL,
        created_at bigint NOT NULL,
        resolved_at bigint,
        resolved_by_id UUID REFERENCES person (id),
        CHECK ((resolved_at IS NULL) = (resolved_by_id IS NULL)),
        CHECK (thread_id IS NULL OR (resolved_at IS NULL AND step_key IS NULL))
    )",
    "CREATE INDEX review_comment_version ON review_comment (version_id, created_at)",
    "CREATE INDEX review_comment_thread ON review_comment (thread_id)",
    "CREATE INDEX review_comment_open ON review_comment (version_id) WHERE thread_id IS NULL AND resolved_at IS NULL",
    "CREATE TABLE comment_mention (
        comment_id UUID NOT NULL REFERENCES review_comment (id),
        person_id UUID NOT NULL REFERENCES person (id),
        PRIMARY KEY (comment_id, person_id)
    )",
    "CREATE INDEX comment_mention_person ON comment_mention (person_id, comment_id)",
];

const REFUSALS: [Refusal; 2] = [
    Refusal { table: "review_comment", name: "kept", event: "DELETE", when: "", message: "comments are kept" },
    Refusal {
        table: "review_comment",
        name: "said",
        event: "UPDATE OF id, version_id, thread_id, step_key, content_hash, author_id, body, created_at",
        when: "",
        message: "a comment says what it said",
    },
];
