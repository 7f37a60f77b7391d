-- +goose Up

-- People sign in with passkeys and may have no token. invited_by and setup say
-- how they came.
CREATE TABLE person_new (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    territory  TEXT NOT NULL,
    token      BLOB UNIQUE,
    created    INTEGER NOT NULL,
    revoked    INTEGER NOT NULL,
    invited_by TEXT NOT NULL DEFAULT '',
    setup      INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO person_new (id, name, territory, token, created, revoked) SELECT id, name, territory, token, created, revoked FROM person;
DROP TABLE person;
ALTER TABLE person_new RENAME TO person;

-- A passkey of a person. mac seals the row with a key outside the ledger, so
-- that a row written past the gateway signs nothing.
CREATE TABLE passkey (
    id       BLOB PRIMARY KEY,
    person   TEXT NOT NULL,
    key      BLOB NOT NULL,
    counter  INTEGER NOT NULL,
    eligible INTEGER NOT NULL,
    backed   INTEGER NOT NULL,
    aaguid   BLOB NOT NULL,
    mac      BLOB NOT NULL,
    created  INTEGER NOT NULL,
    used     INTEGER NOT NULL,
    cloned   INTEGER NOT NULL,
    revoked  INTEGER NOT NULL
) STRICT;
CREATE INDEX passkey_person ON passkey (person);

-- A challenge that waits for its answer. hash is of its nonce.
CREATE TABLE ceremony (
    hash     BLOB PRIMARY KEY,
    purpose  TEXT NOT NULL,
    person   TEXT NOT NULL,
    act      TEXT NOT NULL,
    object   TEXT NOT NULL,
    revision BLOB NOT NULL,
    expires  INTEGER NOT NULL
) STRICT;

-- What a person signed, whole, so that it can be verified again.
CREATE TABLE signed_act (
    id          TEXT PRIMARY KEY,
    person      TEXT NOT NULL,
    passkey     BLOB NOT NULL,
    environment TEXT NOT NULL,
    act         TEXT NOT NULL,
    object      TEXT NOT NULL,
    revision    BLOB NOT NULL,
    nonce       BLOB NOT NULL UNIQUE,
    auth_data   BLOB NOT NULL,
    client_data BLOB NOT NULL,
    signature   BLOB NOT NULL,
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX signed_act_object ON signed_act (object);

CREATE TABLE session (
    id      TEXT PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,
    person  TEXT NOT NULL,
    label   TEXT NOT NULL,
    created INTEGER NOT NULL,
    seen    INTEGER NOT NULL,
    ended   INTEGER NOT NULL
) STRICT;
CREATE INDEX session_person ON session (person);

CREATE TABLE api_token (
    id      TEXT PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,
    person  TEXT NOT NULL,
    scope   TEXT NOT NULL,
    label   TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER NOT NULL
) STRICT;
CREATE INDEX api_token_person ON api_token (person);

CREATE TABLE role_grant (
    id         TEXT PRIMARY KEY,
    person     TEXT NOT NULL,
    role       TEXT NOT NULL,
    territory  TEXT NOT NULL,
    asked_by   TEXT NOT NULL,
    asked      INTEGER NOT NULL,
    second_by  TEXT NOT NULL,
    second     INTEGER NOT NULL,
    third_by   TEXT NOT NULL,
    third      INTEGER NOT NULL,
    setup      INTEGER NOT NULL,
    revoked_by TEXT NOT NULL,
    revoked    INTEGER NOT NULL
) STRICT;
CREATE INDEX role_grant_person ON role_grant (person);

-- A link that enrols one person once.
CREATE TABLE enrolment (
    hash    BLOB PRIMARY KEY,
    person  TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    setup   INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT;

-- ended is when the set-up phase ended, 0 while it lasts.
CREATE TABLE setup (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    ended INTEGER NOT NULL
) STRICT;
INSERT INTO setup (id, ended) VALUES (1, 0);
