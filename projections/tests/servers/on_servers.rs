//! What needs a server. Every test makes a database of its own and removes it.

/// Every test twice: as `mysql::NAME` and as `mariadb::NAME`.
macro_rules! on_both {
    ($($test:ident)+) => {
        mod mysql {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(MYSQL).await;
            })+
        }

        mod mariadb {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(MARIADB).await;
            })+
        }
    };
}

mod conformance;
mod connections;
mod database;
mod equality;
mod faults;
mod logins;
mod past;
mod proxy;
mod rebuilt;
