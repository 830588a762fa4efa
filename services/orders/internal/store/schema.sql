CREATE SCHEMA orders; -- for sqlc; the real one is made by makegood migrate
