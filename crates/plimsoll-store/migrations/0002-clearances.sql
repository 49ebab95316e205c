-- Clearances that are asked for, and what was decided. The second is only ever added to: each record has the digest of the
-- one before it, and the database itself refuses to change or delete one.

CREATE TABLE hearings (
    number {serial},
    id {text} NOT NULL UNIQUE,
    -- What it is made from, hashed; empty where that is not known before registries are asked.
    inputs {text} NOT NULL,
    policy {text} NOT NULL,
    asked_by {text} NOT NULL,
    -- What is asked, in the worker's own form.
    request {blob} NOT NULL,
    state {text} NOT NULL,
    reason {text} NOT NULL,
    detail {text} NOT NULL,
    since BIGINT NOT NULL,
    queued_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    attempt BIGINT NOT NULL,
    attempts_max BIGINT NOT NULL,
    retry_at BIGINT,
    verdict {text},
    holds_until BIGINT,
    record BIGINT,
    worker {text} NOT NULL,
    lease BIGINT NOT NULL,
    lease_until BIGINT,
    -- From when on it may be claimed; nothing where it may not.
    due_at BIGINT
);
CREATE INDEX hearings_due ON hearings (number) WHERE due_at IS NOT NULL;
CREATE INDEX hearings_inputs ON hearings (inputs, number) WHERE inputs <> '';

-- Every repository that a hearing speaks of: who may see it all may see the hearing.
CREATE TABLE hearing_places (
    hearing {text} NOT NULL REFERENCES hearings (id) ON DELETE CASCADE,
    registry {text} NOT NULL,
    repository {text} NOT NULL,
    PRIMARY KEY (hearing, registry, repository)
){clustered};
CREATE INDEX hearing_places_repository ON hearing_places (registry, repository, hearing);

{append_only_function}

CREATE TABLE records (
    number BIGINT PRIMARY KEY,
    digest {text} NOT NULL UNIQUE,
    -- The bytes that the digest is of.
    body {text} NOT NULL
);
CREATE TRIGGER records_change BEFORE UPDATE ON records {append_only};
CREATE TRIGGER records_delete BEFORE DELETE{or_truncate} ON records {append_only};

-- Which records speak of a digest in a repository.
CREATE TABLE record_digests (
    digest {text} NOT NULL,
    policy {text} NOT NULL,
    repository {text} NOT NULL,
    record BIGINT NOT NULL REFERENCES records (number),
    PRIMARY KEY (digest, policy, repository, record)
){clustered};
CREATE INDEX record_digests_record ON record_digests (record);
CREATE TRIGGER record_digests_change BEFORE UPDATE ON record_digests {append_only};
CREATE TRIGGER record_digests_delete BEFORE DELETE{or_truncate} ON record_digests {append_only};

CREATE TABLE record_reports (
    record BIGINT NOT NULL REFERENCES records (number),
    format {text} NOT NULL,
    media_type {text} NOT NULL,
    -- Compressed with zstd.
    body {blob} NOT NULL,
    PRIMARY KEY (record, format)
);
CREATE TRIGGER record_reports_change BEFORE UPDATE ON record_reports {append_only};
CREATE TRIGGER record_reports_delete BEFORE DELETE{or_truncate} ON record_reports {append_only};
