#[path = "../tests/it/common.rs"]
#[allow(dead_code, unused)]
mod common;
use common::*;
use std::time::Instant;
use stockledger_projections::rebuild::replay_into;
#[tokio::main]
async fn main() {
    let mode = std::env::args().nth(1).unwrap_or("small".into());
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    let n_skus = 4400usize;
    let skus: Vec<String> = (0..n_skus).map(|i| format!("{:05}A", 20000 + i)).collect();
    for chunk in skus.chunks(1000) { ledger.run("shop", receive(&chunk.iter().map(|s| (s.as_str(), 10_000_000)).collect::<Vec<_>>())); }
    let (orders, lines) = if mode == "year" { (24_000u64, 21u64) } else { (50_000, 3) };
    let mut x = 1u64;
    let t = Instant::now();
    for o in 0..orders {
        let mut ls: Vec<(&str, i64)> = Vec::new();
        for _ in 0..lines { x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); let s = &skus[(x >> 33) as usize % n_skus]; if !ls.iter().any(|l| l.0 == s) { ls.push((s, 1 + (x >> 60) as i64)); } }
        let id = format!("{}", 489434 + o);
        ledger.run("shop", place(&id, &ls));
        ledger.run("shop", ship(&id, None));
    }
    eprintln!("generated in {:?}", t.elapsed());
    for _ in 0..std::env::args().nth(2).map_or(1, |n| n.parse().unwrap()) {
    let store = TestStore::new().await;
    let v = store.active().await;
    let t = Instant::now();
    let r = replay_into(&replay(ledger.log(), &store.store), v).await.unwrap();
    let s = t.elapsed().as_secs_f64();
    let cmp = stockledger_projections::compare::compare((&*store.store, v), (&*store.store, v)).await.unwrap();
    eprintln!("{} decisions {:.2}s {:.0} decisions/s; rows {} = {:.0} rows/s; {:?} compare+ {:.2}s", r.decisions, s, r.decisions as f64 / s, cmp.rows(), cmp.rows() as f64 / s, cmp.equal_rows, t.elapsed().as_secs_f64() - s);
    let st = std::fs::read_to_string("/proc/self/status").unwrap();
    eprintln!("{}", st.lines().filter(|l| l.starts_with("VmHWM")).collect::<String>());
    let q = stockledger_projections::Queries::new(store.store.clone(), None);
    let known = q.site(&"shop".parse().unwrap()).await.unwrap().unwrap();
    let t = Instant::now();
    for i in 0..2000 { q.stock_level(&known, &skus[i].parse().unwrap()).await.unwrap().unwrap(); }
    eprintln!("stock_level {:?} each", t.elapsed() / 2000);
    let t = Instant::now();
    for i in 0..200 { q.order_trail(&known, &format!("{}", 489434 + i).parse().unwrap(), None, 50).await.unwrap(); }
    eprintln!("order_trail {:?} each", t.elapsed() / 200);
    let t = Instant::now();
    for i in 0..200 { q.movements(&known, &skus[i].parse().unwrap(), Default::default(), None, 50).await.unwrap(); }
    eprintln!("movements page {:?} each", t.elapsed() / 200);
    let t = Instant::now();
    for i in 0..50 { q.orders(&known, None, Some(10_000+i), 50).await.unwrap(); }
    eprintln!("orders page {:?} each", t.elapsed() / 50);
    eprintln!("db {} MB", std::fs::metadata(&store.path).unwrap().len() / 1_000_000);
    }
}
