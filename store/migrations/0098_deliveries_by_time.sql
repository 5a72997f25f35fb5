-- What a webhook was told, newest first, as one of the logs that the activity of an organization is made of.
CREATE INDEX webhook_deliveries_time ON webhook_deliveries (webhook, created_at, id);
