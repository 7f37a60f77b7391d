-- +goose Up

-- Times are nanoseconds since 1970 in UTC, 0 for "not set"; an expiry that is
-- not set is the greatest number. Kinds are the codes of codec.go.

CREATE TABLE sequence (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO sequence (name, value) VALUES ('batch', 0), ('endpoint', 0), ('visible', 0), ('import', 0);

CREATE TABLE alert_case (
    id       TEXT PRIMARY KEY,
    state    TEXT NOT NULL,
    revision BIGINT NOT NULL,
    hash     BYTEA NOT NULL,
    expires  BIGINT NOT NULL,
    created  BIGINT NOT NULL,
    ended    BIGINT NOT NULL,
    successor TEXT NOT NULL,
    doc      BYTEA NOT NULL
);
CREATE INDEX alert_case_state ON alert_case (state, created);

CREATE TABLE revision (
    alert  TEXT NOT NULL REFERENCES alert_case (id),
    number BIGINT NOT NULL,
    hash   BYTEA NOT NULL,
    body   BYTEA NOT NULL,
    PRIMARY KEY (alert, number)
);

CREATE TABLE signature (
    alert  TEXT NOT NULL REFERENCES alert_case (id),
    n      BIGINT NOT NULL,
    person TEXT NOT NULL,
    name   TEXT NOT NULL,
    act    TEXT NOT NULL,
    hash   BYTEA NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (alert, n)
);

CREATE TABLE act_key (
    key  TEXT PRIMARY KEY,
    hash BYTEA NOT NULL
);

CREATE TABLE audit (
    seq    BIGINT PRIMARY KEY,
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    act    TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    prev   BYTEA NOT NULL,
    hash   BYTEA NOT NULL
);

CREATE TABLE audit_head (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

CREATE TABLE person (
    id        TEXT PRIMARY KEY,
    name      TEXT NOT NULL,
    territory TEXT NOT NULL,
    token     BYTEA NOT NULL UNIQUE,
    created   BIGINT NOT NULL,
    revoked   BIGINT NOT NULL
);

CREATE TABLE request (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key      TEXT NOT NULL UNIQUE,
    priority BIGINT NOT NULL,
    due      BIGINT NOT NULL,
    done     BIGINT NOT NULL,
    cursor   TEXT NOT NULL,
    body     BYTEA NOT NULL
);
CREATE INDEX request_open ON request (priority, seq) WHERE done = 0;

CREATE TABLE message (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    body BYTEA NOT NULL
);

CREATE TABLE batch (
    id       BIGINT PRIMARY KEY,
    alert    TEXT NOT NULL REFERENCES alert_case (id),
    revision BIGINT NOT NULL,
    kind     BIGINT NOT NULL,
    commune  TEXT NOT NULL,
    language TEXT NOT NULL,
    priority BIGINT NOT NULL,
    status   BIGINT NOT NULL,
    flags    BIGINT NOT NULL,
    code     TEXT NOT NULL,
    expires  BIGINT NOT NULL,
    message  BIGINT NOT NULL REFERENCES message (id),
    count    BIGINT NOT NULL,
    first_id BIGINT NOT NULL,
    last_id  BIGINT NOT NULL,
    ids      BYTEA NOT NULL
);
CREATE INDEX batch_cell ON batch (alert, revision, kind, commune, language);

-- What an advance rewrites. due_at is null once nothing more will be started.
CREATE TABLE progress (
    batch    BIGINT PRIMARY KEY REFERENCES batch (id),
    kind     BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    alert    TEXT NOT NULL,
    expires  BIGINT NOT NULL,
    due_at   BIGINT,
    fence    BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    boot     TEXT NOT NULL,
    holder   TEXT NOT NULL,
    excepted BIGINT NOT NULL,
    c0 BIGINT NOT NULL, c1 BIGINT NOT NULL, c2 BIGINT NOT NULL,
    c3 BIGINT NOT NULL, c4 BIGINT NOT NULL, c5 BIGINT NOT NULL,
    c6 BIGINT NOT NULL, c7 BIGINT NOT NULL, c8 BIGINT NOT NULL,
    marks    BYTEA NOT NULL
);
CREATE INDEX progress_open ON progress (kind, priority, batch) WHERE due_at IS NOT NULL;

CREATE TABLE exception (
    batch        BIGINT NOT NULL REFERENCES batch (id),
    idx          BIGINT NOT NULL,
    attempt      BIGINT NOT NULL,
    doubts       BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    fault        BIGINT NOT NULL,
    code         TEXT NOT NULL,
    provider_ref TEXT NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (batch, idx)
);

-- seq is null while the import is hidden; then it is a number of the endpoint
-- sequence, so that snapshots taken before it do not see its rows.
CREATE TABLE import (
    id       BIGINT PRIMARY KEY,
    source   TEXT NOT NULL,
    state    TEXT NOT NULL,
    began    BIGINT NOT NULL,
    touched  BIGINT NOT NULL,
    seq      BIGINT,
    first_id BIGINT NOT NULL,
    last_id  BIGINT NOT NULL,
    added    BIGINT NOT NULL,
    known    BIGINT NOT NULL
);

CREATE TABLE endpoint (
    kind         BIGINT NOT NULL,
    commune      TEXT NOT NULL,
    language     TEXT NOT NULL,
    id           BIGINT NOT NULL,
    import       BIGINT NOT NULL,
    retired      BIGINT NOT NULL,
    roster       BIGINT NOT NULL,
    cipher       BYTEA NOT NULL,
    lookup       BYTEA NOT NULL,
    basis        TEXT NOT NULL,
    consent_text TEXT NOT NULL,
    consent_at   BIGINT NOT NULL,
    why          TEXT NOT NULL,
    PRIMARY KEY (kind, commune, language, id)
);
CREATE UNIQUE INDEX endpoint_id ON endpoint (id);

-- Whose address has a hash: endpoints that are not retired. Hashes are random,
-- so an import fills this table in their order, after its rows are staged.
CREATE TABLE lookup (
    kind BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    id   BIGINT NOT NULL,
    PRIMARY KEY (hash, kind)
);

-- What an import says anew of endpoints that were there already.
CREATE TABLE import_known (
    import       BIGINT NOT NULL REFERENCES import (id),
    endpoint     BIGINT NOT NULL,
    commune      TEXT NOT NULL,
    language     TEXT NOT NULL,
    roster       BIGINT NOT NULL,
    basis        TEXT NOT NULL,
    consent_text TEXT NOT NULL,
    consent_at   BIGINT NOT NULL,
    PRIMARY KEY (import, endpoint)
);

-- Live endpoints per cell and import; import 0 is what was added singly.
CREATE TABLE cell (
    kind     BIGINT NOT NULL,
    commune  TEXT NOT NULL,
    language TEXT NOT NULL,
    import   BIGINT NOT NULL,
    total    BIGINT NOT NULL,
    roster   BIGINT NOT NULL,
    PRIMARY KEY (commune, kind, language, import)
);
