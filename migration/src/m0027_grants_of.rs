//! What finds the grants of a person, which is asked with each request: the indexes that keep a role from being granted twice
//! are of a part of the grants each.

use sea_orm_migration::prelude::*;

use crate::dialect::run;

#[derive(Debug, DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &[INDEX]).await
    }
}

const INDEX: &str = "CREATE INDEX role_grant_person ON role_grant (person_id)";
