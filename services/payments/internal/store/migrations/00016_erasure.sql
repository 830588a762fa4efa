-- +goose Up
-- The body of an event may go before its row does. The previous binary reads none as
-- an empty one, and only looks at one when somebody replays an event that is at rest.
ALTER TABLE payments.webhook_events ALTER COLUMN payload DROP NOT NULL;

-- Stripe customers of people who were erased: what Stripe still sends about them is
-- handled, and its body is not kept.
CREATE TABLE payments.erased_customers (
    customer_id text PRIMARY KEY,
    erased_at   timestamptz NOT NULL
);

-- The key of a person is replaced where it stands, and their payments follow.
ALTER TABLE payments.payments DROP CONSTRAINT payments_email_key_fkey;
ALTER TABLE payments.payments ADD CONSTRAINT payments_email_key_fkey
    FOREIGN KEY (email_key) REFERENCES payments.customers (email_key) ON UPDATE CASCADE NOT VALID;

-- Links are append-only for the service, but for this: an address becomes a pseudonym.
-- +goose StatementBegin
CREATE FUNCTION payments.erase_links(of_email_key text, pseudonym text) RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE payments.customer_links SET email_key = pseudonym
    WHERE email_key = of_email_key AND pseudonym ~ '^erased-[0-9a-f-]{36}@erased\.invalid$'
    RETURNING customer_id
$$;
-- +goose StatementEnd

-- The one place where it is seen to, whoever files or finishes an event: once an event
-- of an erased person is at rest, neither its body nor its address is kept.
-- +goose StatementBegin
CREATE FUNCTION payments.forget_erased() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM payments.erased_customers AS e WHERE e.customer_id = NEW.customer_id) THEN
        NEW.payload := NULL;
        NEW.customer_email := NULL;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER webhook_events_forget_erased BEFORE INSERT OR UPDATE OF status ON payments.webhook_events
    FOR EACH ROW WHEN (NEW.customer_id IS NOT NULL AND NEW.payload IS NOT NULL AND NEW.status IN ('PROCESSED', 'IGNORED'))
    EXECUTE FUNCTION payments.forget_erased();
