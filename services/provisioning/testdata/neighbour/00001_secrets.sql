-- +goose Up
CREATE TABLE neighbour.secrets (id integer PRIMARY KEY);
