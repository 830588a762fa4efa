-- +goose Up
CREATE TABLE provisioning.accounts (
    id               uuid PRIMARY KEY,
    email            text NOT NULL,
    email_key        text NOT NULL,
    name             text NOT NULL,
    created_by_order uuid,
    created_at       timestamptz NOT NULL,
    CONSTRAINT accounts_email_key_unique UNIQUE (email_key),
    CONSTRAINT accounts_created_by_order_unique UNIQUE (created_by_order),
    CONSTRAINT accounts_email_key_normal CHECK (email_key <> '' AND email_key = btrim(email_key))
);

COMMENT ON COLUMN provisioning.accounts.email IS 'as typed by the buyer, trimmed';
COMMENT ON COLUMN provisioning.accounts.email_key IS 'trimmed and lower-cased: what is compared';

CREATE TABLE provisioning.grants (
    order_id        uuid PRIMARY KEY,
    account_id      uuid NOT NULL,
    plan_id         text NOT NULL,
    term_months     integer NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    revoked_at      timestamptz,
    account_created boolean NOT NULL,
    created_at      timestamptz NOT NULL,
    CONSTRAINT grants_account_fkey FOREIGN KEY (account_id) REFERENCES provisioning.accounts (id),
    CONSTRAINT grants_term_positive CHECK (term_months > 0),
    CONSTRAINT grants_end_after_start CHECK (ends_at > starts_at)
);

CREATE INDEX grants_current_by_account ON provisioning.grants (account_id, ends_at) WHERE revoked_at IS NULL;

CREATE TABLE provisioning.activations (
    token_hash  bytea PRIMARY KEY,
    account_id  uuid NOT NULL,
    order_id    uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    redeemed_at timestamptz,
    CONSTRAINT activations_account_fkey FOREIGN KEY (account_id) REFERENCES provisioning.accounts (id),
    CONSTRAINT activations_grant_fkey FOREIGN KEY (order_id) REFERENCES provisioning.grants (order_id),
    CONSTRAINT activations_hash_is_sha256 CHECK (octet_length(token_hash) = 32),
    CONSTRAINT activations_expire_later CHECK (expires_at > created_at),
    CONSTRAINT activations_redeemed_in_time CHECK (redeemed_at < expires_at)
);

COMMENT ON COLUMN provisioning.activations.token_hash IS 'SHA-256 of the token; the token itself is only in the email';

-- An account is activated once, whichever of its links is opened first.
CREATE UNIQUE INDEX activations_one_redeemed_per_account ON provisioning.activations (account_id) WHERE redeemed_at IS NOT NULL;
