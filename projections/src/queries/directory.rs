//! Sites and items.

use stockledger_schemas::{PartitionId, SiteId, Sku};

use super::{Moment, Queries, Result, no_page, nothing_yet, one_more, page};
use crate::value::{Fields, Value};
use crate::views::{Answer, Item, KnownSite, Page, Site};

impl Queries {
    /// Where a site lives; nothing if nobody has heard of it. Whoever has seen a position of the directory or of the site
    /// itself finds it, because both partitions tell.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::store::Error::Unavailable), as all queries.
    pub async fn site(&self, site: &SiteId) -> Result<Option<KnownSite>> {
        if let Some(partition) = self.home(site) {
            return Ok(Some(KnownSite { site: site.clone(), partition }));
        }
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else { return Ok(None) };
        let sql = "SELECT partition_id FROM {sites} WHERE site = ? \
                   UNION SELECT partition_id FROM {homes} WHERE site = ?";
        let parameters = vec![site.into(), site.into()];
        let Some(mut fields) = moment.select_one(sql, parameters).await? else { return Ok(None) };
        let partition = PartitionId(fields.number()?);
        self.remember_home(site.clone(), partition);
        Ok(Some(KnownSite { site: site.clone(), partition }))
    }

    /// A site as the directory describes it.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn site_details(&self, known: &KnownSite) -> Result<Option<Answer<Site>>> {
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else { return Ok(None) };
        let sql = "SELECT site, name, partition_id, seq, recorded_at FROM {sites} WHERE site = ?";
        let Some(fields) = moment.select_one(sql, vec![(&known.site).into()]).await? else { return Ok(None) };
        let site = site_of(&moment, fields)?;
        Ok(Some(moment.answer(site)))
    }

    /// Sites by id, beginning after one.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn sites(&self, after: Option<&SiteId>, limit: u32) -> Result<Answer<Page<Site, SiteId>>> {
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else {
            return Ok(nothing_yet(PartitionId::DIRECTORY, no_page()));
        };
        let sql = "SELECT site, name, partition_id, seq, recorded_at FROM {sites} WHERE site > ? \
                   ORDER BY site LIMIT ?";
        let rows = moment.select(sql, vec![text_after(after), one_more(limit).into()]).await?;
        let sites = rows.into_iter().map(|fields| site_of(&moment, fields)).collect::<Result<_>>()?;
        Ok(moment.answer(page(sites, limit, |site: &Site| site.site.clone())))
    }

    /// An item as the directory describes it; nothing if it was never registered.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn item(&self, sku: &Sku) -> Result<Option<Answer<Item>>> {
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else { return Ok(None) };
        let sql = "SELECT sku, name, unit, seq, recorded_at FROM {items} WHERE sku = ?";
        let Some(fields) = moment.select_one(sql, vec![sku.into()]).await? else { return Ok(None) };
        let item = item_of(&moment, fields)?;
        Ok(Some(moment.answer(item)))
    }

    /// Items by SKU, beginning after one.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn items(&self, after: Option<&Sku>, limit: u32) -> Result<Answer<Page<Item, Sku>>> {
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else {
            return Ok(nothing_yet(PartitionId::DIRECTORY, no_page()));
        };
        let sql = "SELECT sku, name, unit, seq, recorded_at FROM {items} WHERE sku > ? ORDER BY sku LIMIT ?";
        let rows = moment.select(sql, vec![text_after(after), one_more(limit).into()]).await?;
        let items = rows.into_iter().map(|fields| item_of(&moment, fields)).collect::<Result<_>>()?;
        Ok(moment.answer(page(items, limit, |item: &Item| item.sku.clone())))
    }
}

/// The key to begin after; ids are never empty, so the empty text is before them all.
pub(super) fn text_after<T: AsRef<str>>(after: Option<&T>) -> Value {
    Value::Text(after.map_or_else(String::new, |after| after.as_ref().to_owned()))
}

fn site_of(moment: &Moment, mut fields: Fields) -> Result<Site> {
    Ok(Site {
        site: fields.text()?,
        name: fields.text()?,
        partition: PartitionId(fields.number()?),
        position: moment.position(fields.number()?),
        recorded_at: fields.time()?,
    })
}

pub(super) fn item_of(moment: &Moment, mut fields: Fields) -> Result<Item> {
    Ok(Item {
        sku: fields.text()?,
        name: fields.text()?,
        unit: fields.text()?,
        position: moment.position(fields.number()?),
        recorded_at: fields.time()?,
    })
}
