-- +goose Up

-- What an alert updates, corrects or tells the end of, empty if nothing.
ALTER TABLE alert_case ADD COLUMN replaces TEXT NOT NULL DEFAULT '';
UPDATE alert_case SET replaces = COALESCE(convert_from(doc, 'UTF8')::json -> 'Submission' -> 'Replaces' ->> 'Alert', '');

-- Whose request it is, also when its body cannot be read. done is 2 for a
-- request that was set aside because it could not be read.
ALTER TABLE request ADD COLUMN alert TEXT NOT NULL DEFAULT '';

-- The cell that an endpoint left. seq is a number of the endpoint sequence: a
-- snapshot that is smaller was taken before the move.
CREATE TABLE moved (
    seq      BIGINT PRIMARY KEY,
    endpoint BIGINT NOT NULL,
    kind     BIGINT NOT NULL,
    commune  TEXT NOT NULL,
    language TEXT NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX moved_endpoint ON moved (endpoint);
CREATE INDEX moved_cell ON moved (kind, commune, language, endpoint);

-- What people must be told about an alert: what of it is not sent, and why.
-- kind is 0 and commune empty for what concerns all of them.
CREATE TABLE notice (
    alert    TEXT NOT NULL,
    revision BIGINT NOT NULL,
    kind     BIGINT NOT NULL,
    commune  TEXT NOT NULL,
    code     TEXT NOT NULL,
    text     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (alert, revision, kind, commune, code)
);
