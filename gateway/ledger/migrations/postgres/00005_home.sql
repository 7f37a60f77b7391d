-- +goose Up

-- The place of the tables when they were made or last released: the cluster,
-- the database and the table of the guard itself. A dump brings it along, and
-- its tables have another place wherever they are restored. Empty: not known.
ALTER TABLE guard ADD COLUMN home TEXT NOT NULL DEFAULT '';
