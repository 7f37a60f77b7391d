-- +goose Up

-- People sign in with passkeys and may have no token. invited_by and setup say
-- how they came.
ALTER TABLE person ALTER COLUMN token DROP NOT NULL;
ALTER TABLE person ADD COLUMN invited_by TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN setup BIGINT NOT NULL DEFAULT 0;

-- A passkey of a person. mac seals the row with a key outside the ledger, so
-- that a row written past the gateway signs nothing.
CREATE TABLE passkey (
    id       BYTEA PRIMARY KEY,
    person   TEXT NOT NULL,
    key      BYTEA NOT NULL,
    counter  BIGINT NOT NULL,
    eligible BIGINT NOT NULL,
    backed   BIGINT NOT NULL,
    aaguid   BYTEA NOT NULL,
    mac      BYTEA NOT NULL,
    created  BIGINT NOT NULL,
    used     BIGINT NOT NULL,
    cloned   BIGINT NOT NULL,
    revoked  BIGINT NOT NULL
);
CREATE INDEX passkey_person ON passkey (person);

-- A challenge that waits for its answer. hash is of its nonce.
CREATE TABLE ceremony (
    hash     BYTEA PRIMARY KEY,
    purpose  TEXT NOT NULL,
    person   TEXT NOT NULL,
    act      TEXT NOT NULL,
    object   TEXT NOT NULL,
    revision BYTEA NOT NULL,
    expires  BIGINT NOT NULL
);

-- What a person signed, whole, so that it can be verified again.
CREATE TABLE signed_act (
    id          TEXT PRIMARY KEY,
    person      TEXT NOT NULL,
    passkey     BYTEA NOT NULL,
    environment TEXT NOT NULL,
    act         TEXT NOT NULL,
    object      TEXT NOT NULL,
    revision    BYTEA NOT NULL,
    nonce       BYTEA NOT NULL UNIQUE,
    auth_data   BYTEA NOT NULL,
    client_data BYTEA NOT NULL,
    signature   BYTEA NOT NULL,
    at          BIGINT NOT NULL
);
CREATE INDEX signed_act_object ON signed_act (object);

CREATE TABLE session (
    id      TEXT PRIMARY KEY,
    hash    BYTEA NOT NULL UNIQUE,
    person  TEXT NOT NULL,
    label   TEXT NOT NULL,
    created BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    ended   BIGINT NOT NULL
);
CREATE INDEX session_person ON session (person);

CREATE TABLE api_token (
    id      TEXT PRIMARY KEY,
    hash    BYTEA NOT NULL UNIQUE,
    person  TEXT NOT NULL,
    scope   TEXT NOT NULL,
    label   TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT NOT NULL
);
CREATE INDEX api_token_person ON api_token (person);

CREATE TABLE role_grant (
    id         TEXT PRIMARY KEY,
    person     TEXT NOT NULL,
    role       TEXT NOT NULL,
    territory  TEXT NOT NULL,
    asked_by   TEXT NOT NULL,
    asked      BIGINT NOT NULL,
    second_by  TEXT NOT NULL,
    second     BIGINT NOT NULL,
    third_by   TEXT NOT NULL,
    third      BIGINT NOT NULL,
    setup      BIGINT NOT NULL,
    revoked_by TEXT NOT NULL,
    revoked    BIGINT NOT NULL
);
CREATE INDEX role_grant_person ON role_grant (person);

-- A link that enrols one person once.
CREATE TABLE enrolment (
    hash    BYTEA PRIMARY KEY,
    person  TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    setup   BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    used    BIGINT NOT NULL
);

-- ended is when the set-up phase ended, 0 while it lasts.
CREATE TABLE setup (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    ended BIGINT NOT NULL
);
INSERT INTO setup (id, ended) VALUES (1, 0);
