//! Caches whose entries carry the version they were made from. A node never serves an entry whose version
//! is not the one that the store shows now, so a second node's change is seen at the next request.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use moka::future::Cache;

/// A bounded cache of values by key, each made from one version of something stored.
pub struct Versioned<K, V> {
    entries: Cache<K, (i64, Arc<V>)>,
}

// Derived, it would ask for values that can be cloned; only the handle is.
impl<K, V> Clone for Versioned<K, V> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
        }
    }
}

impl<K, V> Versioned<K, V>
where
    K: Hash + Eq + Send + Sync + Clone + 'static,
    V: Send + Sync + 'static,
{
    /// Creates a cache of at most `capacity` entries.
    pub fn new(capacity: u64) -> Self {
        Self {
            entries: Cache::new(capacity),
        }
    }

    /// Returns the entry of exactly this version, or loads and keeps it.
    ///
    /// # Errors
    /// Whatever `load` fails with; nothing is kept then.
    pub async fn get<E, F>(&self, key: &K, version: i64, load: F) -> Result<Arc<V>, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        if let Some((known, value)) = self.entries.get(key).await
            && known == version
        {
            return Ok(value);
        }
        let value = Arc::new(load.await?);
        self.entries
            .insert(key.clone(), (version, Arc::clone(&value)))
            .await;
        Ok(value)
    }

    /// Returns the entry if it is of this version.
    pub async fn peek(&self, key: &K, version: i64) -> Option<Arc<V>> {
        self.entries
            .get(key)
            .await
            .filter(|(known, _)| *known == version)
            .map(|(_, value)| value)
    }

    /// Puts an entry in.
    pub async fn put(&self, key: K, version: i64, value: V) -> Arc<V> {
        let value = Arc::new(value);
        self.entries.insert(key, (version, Arc::clone(&value))).await;
        value
    }

    /// Forgets an entry.
    pub async fn forget(&self, key: &K) {
        self.entries.invalidate(key).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_entry_of_another_version_is_never_served() {
        let cache: Versioned<String, &str> = Versioned::new(10);
        let key = "home".to_owned();
        let first = cache.get(&key, 1, async { Ok::<_, ()>("one") }).await.unwrap();
        assert_eq!(*first, "one");
        let again = cache.get(&key, 1, async { Err(()) }).await.unwrap();
        assert_eq!(*again, "one");
        assert!(cache.get(&key, 2, async { Err(()) }).await.is_err());
        let second = cache.get(&key, 2, async { Ok::<_, ()>("two") }).await.unwrap();
        assert_eq!(*second, "two");
        assert!(cache.peek(&key, 1).await.is_none());
    }
}
