//! Keeping executions from being stored, for as long as a test wants.

use sea_orm::{ConnectionTrait as _, DatabaseConnection};

use crate::support::{Backend, World, connect};

/// Keeps everybody else from writing executions until it is let go.
pub struct Lock(DatabaseConnection);

impl Lock {
    /// Takes it.
    pub async fn take(world: &World) -> Self {
        let connection = connect(world.db.url()).await.unwrap();
        let begin = match world.backend {
            Backend::Sqlite => "BEGIN IMMEDIATE",
            Backend::Postgres => "BEGIN; LOCK TABLE execution_event IN ACCESS EXCLUSIVE MODE",
        };
        connection.execute_unprepared(begin).await.unwrap();
        Self(connection)
    }

    /// Lets it go.
    pub async fn release(self) {
        self.0.execute_unprepared("COMMIT").await.unwrap();
        self.0.close().await.unwrap();
    }
}
