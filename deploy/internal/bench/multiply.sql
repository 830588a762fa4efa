-- Makes everything that the services have written into as many as bench.copies
-- tells, each copy with names and times of its own: the n-th copy of an id is the
-- same in every table that has it. What there is only once stays once.
DO $$
DECLARE
    t record; c record; source record; indexes record; value text; columns text; chosen text;
BEGIN
    SET LOCAL session_replication_role = replica; -- copies of what is whole are whole
    SET LOCAL maintenance_work_mem = '256MB';
    FOR t IN
        SELECT r.oid, r.oid::regclass::text AS name FROM pg_class AS r JOIN pg_namespace AS s ON s.oid = r.relnamespace
        WHERE s.nspname IN ('orders', 'payments', 'provisioning', 'notifications', 'reconciliation') AND r.relkind = 'r'
            AND r.relname NOT LIKE 'river%' AND r.relname NOT LIKE '%version%' AND r.relname NOT LIKE 'incident%'
            AND r.relname NOT IN ('sweeps', 'cursors', 'history_marks', 'deep_passes', 'deep_pass_slices', 'charging_switch', 'cases', 'case_events', 'audit')
        ORDER BY 2
    LOOP
        -- Secondary indexes are made again behind the copies.
        CREATE TEMP TABLE again ON COMMIT DROP AS
            SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index AS i
            WHERE i.indrelid = t.oid AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid);
        FOR indexes IN SELECT * FROM again LOOP EXECUTE 'DROP INDEX ' || indexes.name; END LOOP;
        EXECUTE format('CREATE TEMP TABLE pattern ON COMMIT DROP AS SELECT ctid AS at, to_jsonb(p) AS row FROM %s AS p', t.name);
        FOR source IN SELECT * FROM pattern LOOP
            columns := NULL;
            FOR c IN
                SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type FROM pg_attribute AS a
                WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = ''
                ORDER BY a.attnum
            LOOP
                value := source.row ->> c.name;
                columns := concat_ws(', ', columns, quote_ident(c.name));
                chosen := CASE WHEN columns = quote_ident(c.name) THEN '' ELSE chosen || ', ' END || CASE
                    WHEN value IS NULL THEN 'NULL'
                    WHEN c.type = 'uuid' AND value <> '00000000-0000-0000-0000-000000000000' THEN format('md5(%L || n)::uuid', value)
                    WHEN c.name IN ('seen_at', 'first_seen_at', 'decided_at', 'last_seen_at') THEN format('%L::timestamptz', value)
                    -- Old enough that its body may leave the ledger.
                    WHEN c.type = 'timestamp with time zone' AND t.name = 'payments.webhook_events' THEN format('%L::timestamptz - interval ''8 days'' - n * interval ''100 seconds''', value)
                    WHEN c.type = 'timestamp with time zone' THEN format('%L::timestamptz - n * interval ''100 seconds''', value)
                    WHEN c.type = 'bytea' AND c.name <> 'payload' THEN format('sha256(convert_to(%L || n, ''UTF8''))', value)
                    WHEN c.type = 'text' AND value ~ '^(ch|pi|cus|re|txn|evt|pm|src|py)_' THEN format('%L || ''x'' || n', value)
                    WHEN c.type = 'text' AND value LIKE '%@%' THEN format('''n'' || n || %L', value)
                    WHEN c.type = 'text' AND value ~ '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}' THEN
                        format('replace(%L, %L, md5(%L || n)::uuid::text)', value,
                            substring(value FROM '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'),
                            substring(value FROM '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'))
                    ELSE format('(SELECT %I FROM %s WHERE ctid = %L)', c.name, t.name, source.at) END;
            END LOOP;
            EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %s) AS n ON CONFLICT DO NOTHING', t.name, columns, chosen, current_setting('bench.copies'));
        END LOOP;
        FOR indexes IN SELECT * FROM again LOOP EXECUTE indexes.definition; END LOOP;
        DROP TABLE again, pattern;
    END LOOP;
END $$;
