//! Things by site and key, and which of them were touched.

use std::collections::HashMap;
use std::hash::Hash;

use ahash::RandomState;
use stockledger_schemas::SiteId;

/// Something that knows whether it is on the list of what was touched.
pub(super) trait Touched {
    fn is_touched(&mut self) -> &mut bool;
}

/// Things by site and key.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    sites: HashMap<SiteId, HashMap<K, V, RandomState>, RandomState>,
    count: usize,
    touched: Vec<(SiteId, K)>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { sites: HashMap::default(), count: 0, touched: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash, V> Cache<K, V> {
    /// How many things there are.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// How many of them were touched.
    pub(super) const fn touched(&self) -> usize {
        self.touched.len()
    }

    pub(super) fn get(&self, site: &SiteId, key: &K) -> Option<&V> {
        self.sites.get(site)?.get(key)
    }

    pub(super) fn get_mut(&mut self, site: &SiteId, key: &K) -> Option<&mut V> {
        self.sites.get_mut(site)?.get_mut(key)
    }

    pub(super) fn insert(&mut self, site: SiteId, key: K, value: V) {
        if self.sites.entry(site).or_default().insert(key, value).is_none() {
            self.count += 1;
        }
    }

    pub(super) fn note_missing(&self, site: &SiteId, key: &K, missing: &mut HashMap<SiteId, Vec<K>>) {
        if self.get(site, key).is_none() {
            match missing.get_mut(site) {
                Some(keys) => keys.push(key.clone()),
                None => drop(missing.insert(site.clone(), vec![key.clone()])),
            }
        }
    }
}

impl<K: Clone + Eq + Hash, V: Touched> Cache<K, V> {
    /// The thing, put on the list of what was touched; made if it is not there.
    pub(super) fn touch_or(&mut self, site: &SiteId, key: &K, make: impl FnOnce() -> V) -> &mut V {
        let values = self.sites.entry(site.clone()).or_default();
        let value = values.entry(key.clone()).or_insert_with(|| {
            self.count += 1;
            make()
        });
        let is_touched = value.is_touched();
        if !*is_touched {
            *is_touched = true;
            self.touched.push((site.clone(), key.clone()));
        }
        value
    }

    /// Gives everything that was touched to `take`, which says that it is not any more.
    pub(super) fn take_touched(&mut self, mut take: impl FnMut(&mut V)) {
        for (site, key) in self.touched.drain(..) {
            if let Some(value) = self.sites.get_mut(&site).and_then(|values| values.get_mut(&key)) {
                take(value);
            }
        }
    }
}
