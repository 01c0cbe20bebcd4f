//! One process of the product that carries jobs out until none is left, as its workers do.

use std::sync::Arc;
use std::time::Duration;

use quietus::app::{Lane, Quietus};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::arguments::ReplicaArguments;
use super::ground;
use super::measure::Memory;
use super::memory_system::systems;
use super::queue::SYSTEMS;
use super::race::wait_for_go;

/// Between two looks at a store in which others still work.
const REST: Duration = Duration::from_millis(2);

/// Opens the instance, waits for the signal and works.
pub async fn run(arguments: &ReplicaArguments) {
    let product = ground::open(&arguments.folder, systems(SYSTEMS, 0)).await;
    wait_for_go();
    carry_out_all(&product, arguments.workers).await;
    println!("done {}", Memory::own().peak_kib);
    product.store.close().await;
}

/// Carries everything out that is available, with so many workers in each lane.
pub async fn carry_out_all(product: &Arc<Quietus>, workers: u32) {
    let mut all = JoinSet::new();
    for lane in product.lanes() {
        for number in 1..=workers {
            let (product, lane) = (Arc::clone(product), lane.clone());
            let name = format!("figures-{}-{}-{number}", std::process::id(), lane.as_str());
            all.spawn(async move { work(&product, &lane, &name).await });
        }
    }
    while let Some(ended) = all.join_next().await {
        ended.expect("a worker comes to its end");
    }
}

async fn work(product: &Quietus, lane: &Lane, name: &str) {
    let stop = CancellationToken::new();
    loop {
        let carried_out = Box::pin(product.carry_out_next_in(lane, name, &stop)).await;
        if carried_out.expect("a job is carried out").is_some() {
            continue;
        }
        // What runs elsewhere is settled there.
        let next = product.store.next_available_at().await.expect("the store answers");
        if next.is_none() {
            return;
        }
        tokio::time::sleep(REST).await;
    }
}
