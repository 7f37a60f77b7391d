-- +goose Up

-- Times are nanoseconds since 1970 in UTC, 0 for "not set"; an expiry that is
-- not set is the greatest number. Kinds are the codes of codec.go.

CREATE TABLE sequence (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO sequence (name, value) VALUES ('batch', 0), ('endpoint', 0), ('visible', 0), ('import', 0);

CREATE TABLE alert_case (
    id       TEXT PRIMARY KEY,
    state    TEXT NOT NULL,
    revision INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    expires  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    ended    INTEGER NOT NULL,
    successor TEXT NOT NULL,
    doc      BLOB NOT NULL
) STRICT;
CREATE INDEX alert_case_state ON alert_case (state, created);

CREATE TABLE revision (
    alert  TEXT NOT NULL REFERENCES alert_case (id),
    number INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (alert, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE signature (
    alert  TEXT NOT NULL REFERENCES alert_case (id),
    n      INTEGER NOT NULL,
    person TEXT NOT NULL,
    name   TEXT NOT NULL,
    act    TEXT NOT NULL,
    hash   BLOB NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (alert, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE act_key (
    key  TEXT PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    act    TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    prev   BLOB NOT NULL,
    hash   BLOB NOT NULL
) STRICT;

CREATE TABLE audit_head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, zeroblob(32));

CREATE TABLE person (
    id        TEXT PRIMARY KEY,
    name      TEXT NOT NULL,
    territory TEXT NOT NULL,
    token     BLOB NOT NULL UNIQUE,
    created   INTEGER NOT NULL,
    revoked   INTEGER NOT NULL
) STRICT;

CREATE TABLE request (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    key      TEXT NOT NULL UNIQUE,
    priority INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    done     INTEGER NOT NULL,
    cursor   TEXT NOT NULL,
    body     BLOB NOT NULL
) STRICT;
CREATE INDEX request_open ON request (priority, seq) WHERE done = 0;

CREATE TABLE message (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE batch (
    id       INTEGER PRIMARY KEY,
    alert    TEXT NOT NULL REFERENCES alert_case (id),
    revision INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    commune  TEXT NOT NULL,
    language TEXT NOT NULL,
    priority INTEGER NOT NULL,
    status   INTEGER NOT NULL,
    flags    INTEGER NOT NULL,
    code     TEXT NOT NULL,
    expires  INTEGER NOT NULL,
    message  INTEGER NOT NULL REFERENCES message (id),
    count    INTEGER NOT NULL,
    first_id INTEGER NOT NULL,
    last_id  INTEGER NOT NULL,
    ids      BLOB NOT NULL
) STRICT;
CREATE INDEX batch_cell ON batch (alert, revision, kind, commune, language);

-- What an advance rewrites. due_at is null once nothing more will be started.
CREATE TABLE progress (
    batch    INTEGER PRIMARY KEY REFERENCES batch (id),
    kind     INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    alert    TEXT NOT NULL,
    expires  INTEGER NOT NULL,
    due_at   INTEGER,
    fence    INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    boot     TEXT NOT NULL,
    holder   TEXT NOT NULL,
    excepted INTEGER NOT NULL,
    c0 INTEGER NOT NULL, c1 INTEGER NOT NULL, c2 INTEGER NOT NULL,
    c3 INTEGER NOT NULL, c4 INTEGER NOT NULL, c5 INTEGER NOT NULL,
    c6 INTEGER NOT NULL, c7 INTEGER NOT NULL, c8 INTEGER NOT NULL,
    marks    BLOB NOT NULL
) STRICT;
CREATE INDEX progress_open ON progress (kind, priority, batch) WHERE due_at IS NOT NULL;

CREATE TABLE exception (
    batch        INTEGER NOT NULL REFERENCES batch (id),
    idx          INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    doubts       INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    fault        INTEGER NOT NULL,
    code         TEXT NOT NULL,
    provider_ref TEXT NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (batch, idx)
) STRICT, WITHOUT ROWID;

-- seq is null while the import is hidden; then it is a number of the endpoint
-- sequence, so that snapshots taken before it do not see its rows.
CREATE TABLE import (
    id       INTEGER PRIMARY KEY,
    source   TEXT NOT NULL,
    state    TEXT NOT NULL,
    began    INTEGER NOT NULL,
    touched  INTEGER NOT NULL,
    seq      INTEGER,
    first_id INTEGER NOT NULL,
    last_id  INTEGER NOT NULL,
    added    INTEGER NOT NULL,
    known    INTEGER NOT NULL
) STRICT;

CREATE TABLE endpoint (
    kind         INTEGER NOT NULL,
    commune      TEXT NOT NULL,
    language     TEXT NOT NULL,
    id           INTEGER NOT NULL,
    import       INTEGER NOT NULL,
    retired      INTEGER NOT NULL,
    roster       INTEGER NOT NULL,
    cipher       BLOB NOT NULL,
    lookup       BLOB NOT NULL,
    basis        TEXT NOT NULL,
    consent_text TEXT NOT NULL,
    consent_at   INTEGER NOT NULL,
    why          TEXT NOT NULL,
    PRIMARY KEY (kind, commune, language, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX endpoint_id ON endpoint (id);

-- Whose address has a hash: endpoints that are not retired. Hashes are random,
-- so an import fills this table in their order, after its rows are staged.
CREATE TABLE lookup (
    kind INTEGER NOT NULL,
    hash BLOB NOT NULL,
    id   INTEGER NOT NULL,
    PRIMARY KEY (hash, kind)
) STRICT, WITHOUT ROWID;

-- What an import says anew of endpoints that were there already.
CREATE TABLE import_known (
    import       INTEGER NOT NULL REFERENCES import (id),
    endpoint     INTEGER NOT NULL,
    commune      TEXT NOT NULL,
    language     TEXT NOT NULL,
    roster       INTEGER NOT NULL,
    basis        TEXT NOT NULL,
    consent_text TEXT NOT NULL,
    consent_at   INTEGER NOT NULL,
    PRIMARY KEY (import, endpoint)
) STRICT, WITHOUT ROWID;

-- Live endpoints per cell and import; import 0 is what was added singly.
CREATE TABLE cell (
    kind     INTEGER NOT NULL,
    commune  TEXT NOT NULL,
    language TEXT NOT NULL,
    import   INTEGER NOT NULL,
    total    INTEGER NOT NULL,
    roster   INTEGER NOT NULL,
    PRIMARY KEY (commune, kind, language, import)
) STRICT, WITHOUT ROWID;
