//! Teams, people, roles and grants.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLES).await
    }
}

/// The built-in roles start with what `sopwith_domain::access::BUILT_IN_ROLES` says; a test compares them.
const TABLES: &[&str] = &[
    "CREATE TABLE team (
        id UUID PRIMARY KEY,
        key text NOT NULL UNIQUE,
        name text NOT NULL,
        code_prefix text NOT NULL UNIQUE,
        last_code bigint NOT NULL DEFAULT 0,
        created_at bigint NOT NULL
    )",
    "CREATE TABLE person (
        id UUID PRIMARY KEY,
        issuer text NOT NULL,
        subject text NOT NULL,
        name text,
        email text,
        email_verified BOOL NOT NULL,
        claims_digest text NOT NULL,
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        UNIQUE (issuer, subject)
    )",
    "CREATE TABLE role (
        name text PRIMARY KEY,
        built_in BOOL NOT NULL,
        permissions text NOT NULL
    )",
    "INSERT INTO role (name, built_in, permissions) VALUES
        ('viewer', TRUE, ''),
        ('author', TRUE, 'DRAFT_READ SOP_WRITE PROCESS_WRITE'),
        ('reviewer', TRUE, 'DRAFT_READ'),
        ('approver', TRUE, 'DRAFT_READ'),
        ('manager', TRUE, 'DRAFT_READ SOP_MANAGE PROCESS_WRITE FIGURES_READ AUDIT_READ'),
        ('integration', TRUE, 'EXECUTIONS_RECORD'),
        ('admin', TRUE, 'DRAFT_READ ACCESS_MANAGE AUDIT_READ')",
    "CREATE TABLE role_grant (
        id UUID PRIMARY KEY,
        person_id UUID NOT NULL REFERENCES person (id),
        role text NOT NULL,
        team_id UUID REFERENCES team (id),
        source text NOT NULL CHECK (source IN ('CLAIM', 'API', 'IMPORT')),
        created_at bigint NOT NULL
    )",
    "CREATE UNIQUE INDEX role_grant_org_wide ON role_grant (person_id, role, source) WHERE team_id IS NULL",
    "CREATE UNIQUE INDEX role_grant_team ON role_grant (person_id, role, team_id, source) WHERE team_id IS NOT NULL",
    "CREATE INDEX role_grant_role ON role_grant (role)",
];
