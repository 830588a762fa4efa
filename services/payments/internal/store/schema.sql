CREATE SCHEMA payments; -- for sqlc; the real one is made by makegood migrate
