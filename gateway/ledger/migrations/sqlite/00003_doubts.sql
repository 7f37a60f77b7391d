-- +goose Up

-- Which provider was called, and how often one was asked since whether it took
-- the message (255: it will not be asked again).
ALTER TABLE exception ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE exception ADD COLUMN asks INTEGER NOT NULL DEFAULT 0;

-- Claims in a row whose holder was gone before anything was settled.
ALTER TABLE progress ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
