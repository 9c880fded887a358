//! Closed orders, in as little memory as it takes to know them again.
//!
//! A closed order can still be returned, at any time, so the verifier must be able to say whether the order of a return
//! is the one that was closed, without keeping every order there ever was. It keeps 16 bytes of a hash to find an order
//! by and 16 bytes of a hash of what it was: with the free places of the table 38 to 75 bytes an order, whatever its
//! lines. The event of a return carries the order whole, so what it was before is known and only has to be recognised.

use std::collections::HashMap;

use stockledger_domain::{Breach, Partition, before_return};
use stockledger_schemas::event::OrderReturned;
use stockledger_schemas::{Event, Hash, Order, OrderId, SiteId, codec};

/// Half of a SHA-256 digest: nobody can make two things that share it.
type ShortHash = [u8; 16];

/// Every closed order of a partition that is not in memory.
#[derive(Debug, Default)]
pub(super) struct ClosedOrders {
    /// From what an order is found by to what it is recognised by.
    orders: HashMap<ShortHash, ShortHash>,
    /// For encoding, kept so that it is not made anew for every order.
    buffer: Vec<u8>,
}

impl ClosedOrders {
    /// Brings back what the event needs in memory, before it is applied.
    ///
    /// # Errors
    /// [`Breach`] if the event contradicts a closed order.
    pub(super) fn prepare(
        &mut self,
        state: &mut Partition,
        site: &SiteId,
        event: &Event,
    ) -> Result<(), Breach> {
        match event {
            Event::OrderPlaced(placed) => self.must_be_new(site, &placed.order_id),
            Event::OutOfStock(refused) => self.must_be_new(site, &refused.order_id),
            Event::OrderReturned(returned) => self.bring_back(state, site, returned),
            _ => Ok(()),
        }
    }

    /// Takes the order of an applied event out of memory, if it is closed.
    pub(super) fn settle(&mut self, state: &mut Partition, site: &SiteId, event: &Event) {
        let order_id = match event {
            Event::OrderShipped(shipped) => &shipped.order.order_id,
            Event::OrderCancelled(cancelled) => &cancelled.order.order_id,
            Event::OrderReturned(returned) => &returned.order.order_id,
            _ => return,
        };
        let Some(site_state) = state.sites.get_mut(site) else { return };
        let Some(resident) = site_state.orders.get(order_id).filter(|resident| !resident.order.is_open())
        else {
            return;
        };
        let digest = digest_of(&resident.order, &mut self.buffer);
        site_state.orders.remove(order_id);
        self.orders.insert(place_of(site, order_id), digest);
    }

    fn must_be_new(&self, site: &SiteId, order_id: &OrderId) -> Result<(), Breach> {
        let is_known = !self.orders.is_empty() && self.orders.contains_key(&place_of(site, order_id));
        if is_known { Err(Breach::OrderExists) } else { Ok(()) }
    }

    fn bring_back(
        &mut self,
        state: &mut Partition,
        site: &SiteId,
        event: &OrderReturned,
    ) -> Result<(), Breach> {
        let order_id = &event.order.order_id;
        let site_state = state.sites.get_mut(site).ok_or_else(|| Breach::UnknownSite(site.clone()))?;
        if site_state.orders.contains_key(order_id) {
            return Ok(());
        }
        let place = place_of(site, order_id);
        let expected = self.orders.get(&place).copied().ok_or(Breach::UnknownOrder)?;
        let order = before_return(event)?;
        if digest_of(&order, &mut self.buffer) != expected {
            return Err(Breach::WrongOrder);
        }
        self.orders.remove(&place);
        site_state.make_resident(order, 0);
        Ok(())
    }
}

fn place_of(site: &SiteId, order_id: &OrderId) -> ShortHash {
    Hash::of(&[b"order\0", site.as_str().as_bytes(), b"\0", order_id.as_str().as_bytes()]).short()
}

/// An order that cannot be encoded came out of a record that was decoded, so there is none.
fn digest_of(order: &Order, buffer: &mut Vec<u8>) -> ShortHash {
    buffer.clear();
    let encoded = codec::encode_into(order, buffer);
    debug_assert_eq!(encoded, Ok(()));
    Hash::of(&[buffer]).short()
}
