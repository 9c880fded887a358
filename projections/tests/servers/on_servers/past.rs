//! That the past is answered on servers as it is everywhere, and by the same indexes.

use std::sync::Arc;

use stockledger_projections::{Point, Store};
use stockledger_schemas::SiteId;

use super::database::{Database, MARIADB, MYSQL};
use crate::past::{
    answers_are_those_of_a_fold_that_stopped_there, projected, random_ledger,
    sums_by_occurrence_are_those_of_the_events,
};
use crate::random::{SITES, SKUS};

on_both! {
    random_positions_answer_as_folds_that_stopped_there
    levels_by_occurrence_are_the_sums_of_what_had_happened
    every_level_is_explained_and_adds_up
}

async fn random_positions_answer_as_folds_that_stopped_there(variable: &str) {
    let database = Database::create(variable).await;
    let store: Arc<dyn Store> = Arc::new(database.store().await);
    answers_are_those_of_a_fold_that_stopped_there(Arc::clone(&store), 1_000, 150).await;
    store.close().await;
}

async fn levels_by_occurrence_are_the_sums_of_what_had_happened(variable: &str) {
    let database = Database::create(variable).await;
    let store: Arc<dyn Store> = Arc::new(database.store().await);
    sums_by_occurrence_are_those_of_the_events(Arc::clone(&store), 600, 20).await;
    store.close().await;
}

async fn every_level_is_explained_and_adds_up(variable: &str) {
    let database = Database::create(variable).await;
    let store: Arc<dyn Store> = Arc::new(database.store().await);
    let (ledger, decided) = random_ledger(600, true);
    let queries = projected(&ledger, &store).await;
    for site in SITES {
        let known = queries.site(&SiteId::new(site).unwrap()).await.unwrap().unwrap();
        for sku in SKUS {
            let points = decided.iter().step_by(150).map(|decision| Some(Point::Seq(decision.seq)));
            for point in points.chain([None]) {
                let found = queries.explain(&known, &sku.parse().unwrap(), point).await.unwrap().unwrap();
                assert!(found.adds_up, "{site} {sku} {point:?}: {found:?}");
            }
        }
    }
    store.close().await;
}
