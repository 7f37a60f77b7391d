-- +goose Up

-- What tells this ledger from an older copy of itself, and its key from
-- another. generation rises at each start and every minute. held is since when
-- nothing may be sent, 0 if it may; seen is the generation that a mirror had
-- then. first_person is whose release was the first of two. rotating is the id
-- of the key that addresses are being sealed with anew, empty if none is.
-- old_ref is the sealed key of references made before the last rotation.
CREATE TABLE guard (
    id            SMALLINT PRIMARY KEY CHECK (id = 1),
    ledger        TEXT NOT NULL,
    generation    BIGINT NOT NULL,
    held          BIGINT NOT NULL,
    why           TEXT NOT NULL,
    seen          BIGINT NOT NULL,
    first_person  TEXT NOT NULL,
    first_at      BIGINT NOT NULL,
    key_id        TEXT NOT NULL,
    rotating      TEXT NOT NULL,
    old_ref       BYTEA NOT NULL,
    old_ref_until BIGINT NOT NULL
);
INSERT INTO guard (id, ledger, generation, held, why, seen, first_person, first_at, key_id, rotating, old_ref, old_ref_until)
VALUES (1, left(replace(gen_random_uuid()::text, '-', ''), 24), 0, 0, '', 0, '', 0, '', '', '', 0);
