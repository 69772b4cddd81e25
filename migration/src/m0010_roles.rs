//! Roles that an admin makes, with a revision, and grants that end.

use sea_orm_migration::prelude::*;

use crate::dialect::{Refusal, no_replace, run};

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, COLUMNS).await?;
        no_replace(manager, "role", &["name"]).await?;
        for refusal in &REFUSALS {
            refusal.create(manager).await?;
        }
        Ok(())
    }
}

const COLUMNS: &[&str] = &[
    "ALTER TABLE role ADD COLUMN revision bigint NOT NULL DEFAULT 1",
    "ALTER TABLE role ADD COLUMN created_at bigint NOT NULL DEFAULT 0",
    "ALTER TABLE role ADD COLUMN updated_at bigint NOT NULL DEFAULT 0",
    // What comes from claims ends with the token that claims it.
    "ALTER TABLE role_grant ADD COLUMN expires_at bigint
        CHECK (expires_at IS NULL OR (source <> 'CLAIM' AND expires_at > created_at))",
];

const REFUSALS: [Refusal; 5] = [
    Refusal {
        table: "role",
        name: "name",
        event: "INSERT",
        // Nothing is left of the name without these.
        when: "length(NEW.name) NOT BETWEEN 1 AND 64
            OR trim(NEW.name, 'abcdefghijklmnopqrstuvwxyz0123456789-_') <> ''",
        message: "a role is named by 1 to 64 of a-z, 0-9, - and _",
    },
    Refusal {
        table: "role",
        name: "renamed",
        event: "UPDATE OF name, built_in",
        when: "OLD.name <> NEW.name OR OLD.built_in <> NEW.built_in",
        message: "a role stays what it is called",
    },
    // An edit raises the revision. A migration that changes what a built-in role allows does not.
    Refusal {
        table: "role",
        name: "built_in",
        event: "UPDATE",
        when: "OLD.built_in AND OLD.revision <> NEW.revision",
        message: "a built-in role is not edited",
    },
    Refusal { table: "role", name: "kept", event: "DELETE", when: "OLD.built_in", message: "a built-in role is kept" },
    Refusal {
        table: "role_grant",
        name: "changed",
        event: "UPDATE",
        when: "",
        message: "a grant is made and taken away, never changed",
    },
];
