-- The tables of the first version. One text for both engines: words in braces are spelled as each engine spells them
-- (`src/engine/sqlite.rs`, `src/engine/postgres.rs`). Times are microseconds since 1970, UTC. This file is never
-- changed once it is released; another number follows it.

CREATE TABLE scans (
    id {text} PRIMARY KEY,
    kind {text} NOT NULL,
    digest {text},
    reference {text} NOT NULL,
    registry {text} NOT NULL,
    repository {text} NOT NULL,
    successor {text},
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
    priority BIGINT NOT NULL,
    progress {text},
    awaited {text} NOT NULL,
    index_state {text},
    judged {text},
    -- How to get it. May hold secrets, so it is there only as long as it is needed.
    source {blob} NOT NULL,
    -- What it is to be indexed by.
    index_wanted {text} NOT NULL,
    -- Who has it or had it last; has it as long as lease_until is there.
    worker {text} NOT NULL,
    lease BIGINT NOT NULL,
    lease_until BIGINT,
    cancelled BIGINT NOT NULL,
    -- From when on it may be claimed; nothing where it may not.
    due_at BIGINT
);
CREATE INDEX scans_due ON scans (priority, queued_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX scans_held ON scans (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX scans_state ON scans (state, priority, queued_at, id);
CREATE INDEX scans_listed ON scans (state, id);
CREATE INDEX scans_finished ON scans (state, finished_at, id, index_state) WHERE kind = 'image';
-- A name that is being resolved is there once.
CREATE UNIQUE INDEX scans_unresolved ON scans (reference) WHERE kind = 'reference' AND due_at IS NOT NULL;

-- Every repository that a scan was asked for in: who may see one of them may see the scan.
CREATE TABLE places (
    scan {text} NOT NULL REFERENCES scans (id) ON DELETE CASCADE,
    registry {text} NOT NULL,
    repository {text} NOT NULL,
    PRIMARY KEY (scan, registry, repository)
){clustered};
CREATE INDEX places_repository ON places (registry, repository, scan);

CREATE TABLE children (
    parent {text} NOT NULL REFERENCES scans (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    digest {text} NOT NULL,
    platform {text} NOT NULL,
    media_type {text} NOT NULL,
    size BIGINT NOT NULL,
    attestation BIGINT NOT NULL,
    PRIMARY KEY (parent, position)
){clustered};
CREATE INDEX children_digest ON children (digest, parent);

CREATE TABLE event_numbers (last BIGINT NOT NULL);
INSERT INTO event_numbers (last) VALUES (0);
CREATE TABLE events (
    number BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind {text} NOT NULL,
    subject {text} NOT NULL,
    body {text} NOT NULL
){clustered};

CREATE TABLE layers (
    number {serial},
    digest {text} NOT NULL,
    fingerprint {text} NOT NULL,
    facts {blob} NOT NULL,
    UNIQUE (digest, fingerprint)
);

CREATE TABLE inventories (
    image {text} PRIMARY KEY,
    index_state {text} NOT NULL,
    indexed_at BIGINT NOT NULL,
    format BIGINT NOT NULL,
    body {blob} NOT NULL
);
-- Apart from the inventories, so that reading the numbers of all images reads nothing else.
CREATE TABLE image_packages (
    image {text} PRIMARY KEY REFERENCES inventories (image) ON DELETE CASCADE,
    numbers {blob} NOT NULL
){clustered};
CREATE TABLE image_layers (
    image {text} NOT NULL REFERENCES inventories (image) ON DELETE CASCADE,
    layer {text} NOT NULL,
    PRIMARY KEY (image, layer)
){clustered};
CREATE INDEX image_layers_layer ON image_layers (layer);

CREATE TABLE packages (
    number {serial},
    hash {text} NOT NULL UNIQUE,
    -- What advisories are looked up by; both are empty where nobody judges it.
    namespace {text} NOT NULL,
    name {text} NOT NULL,
    body {blob} NOT NULL
);
CREATE INDEX packages_name ON packages (namespace, name);

CREATE TABLE tags (
    registry {text} NOT NULL,
    repository {text} NOT NULL,
    tag {text} NOT NULL,
    digest {text} NOT NULL,
    since BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (registry, repository, tag)
){clustered};
CREATE INDEX tags_digest ON tags (digest);

CREATE TABLE deliveries (
    number {serial},
    target {text} NOT NULL,
    key {text} NOT NULL,
    media_type {text} NOT NULL,
    body {blob} NOT NULL,
    at BIGINT NOT NULL,
    state {text} NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    ended_at BIGINT,
    error {text},
    worker {text} NOT NULL,
    lease BIGINT NOT NULL,
    lease_until BIGINT,
    UNIQUE (target, key)
);
CREATE INDEX deliveries_waiting ON deliveries (target, number) WHERE state = 'waiting';
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE cursors (
    name {text} PRIMARY KEY,
    number BIGINT NOT NULL
);

CREATE TABLE notices (
    id {text} PRIMARY KEY,
    at BIGINT NOT NULL,
    items BIGINT NOT NULL
);
CREATE TABLE notice_items (
    notice {text} NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    id {text} NOT NULL,
    body {text} NOT NULL,
    PRIMARY KEY (notice, position)
){clustered};
CREATE INDEX notice_items_id ON notice_items (notice, id);

CREATE TABLE settings (
    name {text} PRIMARY KEY,
    value {text} NOT NULL
);

CREATE TABLE duties (
    name {text} PRIMARY KEY,
    holder {text} NOT NULL,
    until BIGINT NOT NULL
);
