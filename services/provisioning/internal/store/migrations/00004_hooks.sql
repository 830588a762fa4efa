-- +goose Up
-- What the SaaS's own app was last told of each account, and when to look again.
CREATE TABLE provisioning.app_access (
    account_id    uuid PRIMARY KEY REFERENCES provisioning.accounts (id),
    active        boolean NOT NULL DEFAULT false,
    until         timestamptz,
    last_sequence bigint NOT NULL DEFAULT 0,
    touched       bigint NOT NULL DEFAULT 0,
    next_look_at  timestamptz
);

COMMENT ON TABLE provisioning.app_access IS 'what the newest hook of each account says; due when its access may have changed, or a hook is to be sent';
COMMENT ON COLUMN provisioning.app_access.touched IS 'grows with each change of its grants, so that a look that ends does not hide one';

CREATE INDEX app_access_due ON provisioning.app_access (next_look_at) WHERE next_look_at IS NOT NULL;

-- Accounts that were there before are told of once.
INSERT INTO provisioning.app_access (account_id, next_look_at)
SELECT id, created_at FROM provisioning.accounts;

-- Each change of access that the app is told of, in order for each account.
CREATE TABLE provisioning.hooks (
    id            uuid PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES provisioning.accounts (id),
    sequence      bigint NOT NULL,
    active        boolean NOT NULL,
    until         timestamptz,
    changed_at    timestamptz NOT NULL,
    state         text NOT NULL,
    attempt_count integer NOT NULL DEFAULT 0,
    first_tried_at timestamptz,
    last_error    text NOT NULL DEFAULT '',
    delivered_at  timestamptz,
    CONSTRAINT hooks_in_order UNIQUE (account_id, sequence),
    CONSTRAINT hooks_state_known CHECK (state IN ('QUEUED', 'DELIVERED', 'FAILED')),
    CONSTRAINT hooks_delivered_when CHECK (state <> 'DELIVERED' OR delivered_at IS NOT NULL),
    CONSTRAINT hooks_active_until CHECK (NOT active OR until IS NOT NULL)
);

COMMENT ON COLUMN provisioning.hooks.first_tried_at IS 'since when it is tried; a replay begins anew';

CREATE INDEX hooks_undelivered ON provisioning.hooks (account_id, sequence) WHERE state <> 'DELIVERED';
CREATE INDEX hooks_newest ON provisioning.hooks (changed_at DESC, id DESC);

-- Who had the app told again; append only.
CREATE TABLE provisioning.hook_replays (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id uuid,
    since      timestamptz NOT NULL,
    hook_count bigint NOT NULL,
    actor      text NOT NULL CHECK (actor <> ''),
    reason     text NOT NULL CHECK (reason <> ''),
    at         timestamptz NOT NULL
);
