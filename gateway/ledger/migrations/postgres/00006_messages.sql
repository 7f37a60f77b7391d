-- +goose Up

-- Whether a message is still used is asked when its batches are forgotten.
CREATE INDEX batch_message ON batch (message);
