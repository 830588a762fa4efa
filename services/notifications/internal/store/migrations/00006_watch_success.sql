-- +goose Up
-- Beside whether runs come to their end, whether one succeeds: two questions, and
-- two words to the team. The previous binary does not touch these columns.
ALTER TABLE notifications.watch
    ADD COLUMN success_looked_at     timestamptz,
    ADD COLUMN success_watched_since timestamptz,
    ADD COLUMN succeeded_at          timestamptz,
    ADD COLUMN failing_since         timestamptz;

COMMENT ON COLUMN notifications.watch.worked_at IS 'when a run last came to its end, whatever it could do';
COMMENT ON COLUMN notifications.watch.failing_since IS 'set while the team has been told that runs end without success';
