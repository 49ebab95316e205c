-- How long deliveries wait, and how many of them do: a target that takes nothing has a queue with an end.

-- From when on it waits: when it was put in, or when somebody had it made once more.
ALTER TABLE deliveries ADD COLUMN waiting_since BIGINT NOT NULL DEFAULT 0;
UPDATE deliveries SET waiting_since = at;
CREATE INDEX deliveries_waiting_since ON deliveries (target, waiting_since) WHERE state = 'waiting';
-- For counts by state: most deliveries are delivered and not looked at.
CREATE INDEX deliveries_standing ON deliveries (target, state) WHERE state <> 'delivered';
