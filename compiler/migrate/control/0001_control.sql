-- The control schema: what is there, what was committed, what was migrated. Run as sluice_owner's member; idempotence
-- comes from sluice.control_migrations, which the applier makes first.

CREATE TABLE sluice.datasets (
    dataset         text PRIMARY KEY,
    dataset_uuid    uuid NOT NULL UNIQUE,
    owner           text NOT NULL,
    current_version integer NOT NULL CHECK (current_version >= 1),
    writer_role     name NOT NULL,
    registered_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sluice.datasets IS 'One row a dataset; writer_role decides whose sink may write its rows.';

CREATE TABLE sluice.generations (
    dataset         text NOT NULL REFERENCES sluice.datasets,
    version         integer NOT NULL CHECK (version >= 1),
    relation_schema name NOT NULL,
    relation        name NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, version)
);
COMMENT ON TABLE sluice.generations IS 'One row a dataset version: its physical table.';

CREATE TABLE sluice.dataset_heads (
    dataset     text NOT NULL,
    version     integer NOT NULL,
    sequence    bigint NOT NULL DEFAULT 0,
    publisher   text,
    lease_until timestamptz,
    PRIMARY KEY (dataset, version),
    FOREIGN KEY (dataset, version) REFERENCES sluice.generations
);
COMMENT ON TABLE sluice.dataset_heads IS 'The last sequence of each generation, and who publishes its update events.';

CREATE TABLE sluice.output_commits (
    commit_id          uuid PRIMARY KEY,
    dataset            text NOT NULL,
    version            integer NOT NULL,
    sequence           bigint NOT NULL,
    plan_sha256        text NOT NULL,
    committed_at       timestamptz NOT NULL DEFAULT now(),
    messages           integer NOT NULL,
    records            integer NOT NULL,
    inserted           integer NOT NULL,
    updated            integer NOT NULL,
    unchanged          integer NOT NULL,
    rejected           integer NOT NULL,
    message_digest     text NOT NULL,
    first_sent_at      timestamptz NOT NULL,
    last_sent_at       timestamptz NOT NULL,
    senders            jsonb NOT NULL,
    event_published_at timestamptz,
    UNIQUE (dataset, version, sequence),
    CHECK (records = inserted + updated + unchanged)
);
CREATE INDEX output_commits_unpublished ON sluice.output_commits (dataset, version, sequence)
    WHERE event_published_at IS NULL;
COMMENT ON TABLE sluice.output_commits IS
    'One row a committed batch that changed the table, written in the same transaction as the data; sequence has no gaps.';

CREATE TABLE sluice.sink_instances (
    dataset     text NOT NULL,
    role        name NOT NULL DEFAULT current_user,
    instance    text NOT NULL,
    plan_sha256 text NOT NULL,
    version     integer NOT NULL,
    contract    integer NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT now(),
    last_seen   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, instance)
);
COMMENT ON TABLE sluice.sink_instances IS
    'Sinks that run or ran, each with the plan that it applies. A sink needs nothing that contract migrations up to "contract" remove.';

CREATE TABLE sluice.migrations (
    dataset          text NOT NULL,
    version          integer NOT NULL,
    number           integer NOT NULL,
    phase            text NOT NULL CHECK (phase IN ('expand', 'contract')),
    file_sha256      text NOT NULL,
    from_fingerprint text NOT NULL,
    to_fingerprint   text NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    applied_by       name NOT NULL DEFAULT session_user,
    server_version   integer NOT NULL DEFAULT current_setting('server_version_num')::integer,
    snapshot         json, -- json keeps numbers as they were written
    PRIMARY KEY (dataset, version, number)
);
COMMENT ON TABLE sluice.migrations IS 'The journal: a chain''s position in this database. snapshot is the deparsed table.';

CREATE TABLE sluice.migration_steps (
    dataset     text NOT NULL,
    version     integer NOT NULL,
    number      integer NOT NULL,
    step        integer NOT NULL,
    sql_sha256  text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (dataset, version, number, step),
    FOREIGN KEY (dataset, version, number) REFERENCES sluice.migrations
);

-- Whose rows: only roles that hold the dataset's writer role see and write them.
CREATE FUNCTION sluice.writes(name_of_dataset text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = ''
    AS $$
        SELECT EXISTS (
            SELECT FROM sluice.datasets AS d
            JOIN pg_catalog.pg_roles AS r ON r.rolname = d.writer_role -- a dropped role is nobody's, not an error
            WHERE d.dataset = name_of_dataset
              AND pg_catalog.pg_has_role(current_user, r.oid, 'USAGE'))
    $$;

ALTER TABLE sluice.dataset_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE sluice.output_commits ENABLE ROW LEVEL SECURITY;
ALTER TABLE sluice.sink_instances ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_dataset ON sluice.dataset_heads TO sluice_sink
    USING (sluice.writes(dataset)) WITH CHECK (sluice.writes(dataset));
CREATE POLICY own_dataset ON sluice.output_commits TO sluice_sink
    USING (sluice.writes(dataset)) WITH CHECK (sluice.writes(dataset));
CREATE POLICY own_dataset ON sluice.sink_instances TO sluice_sink
    USING (sluice.writes(dataset)) WITH CHECK (sluice.writes(dataset) AND role = current_user);

GRANT USAGE ON SCHEMA sluice TO sluice_sink;
GRANT SELECT ON sluice.datasets, sluice.generations, sluice.dataset_heads, sluice.output_commits TO sluice_sink;
GRANT UPDATE (sequence, publisher, lease_until) ON sluice.dataset_heads TO sluice_sink;
GRANT INSERT (commit_id, dataset, version, sequence, plan_sha256, messages, records, inserted, updated, unchanged,
              rejected, message_digest, first_sent_at, last_sent_at, senders)
    ON sluice.output_commits TO sluice_sink;
GRANT UPDATE (event_published_at) ON sluice.output_commits TO sluice_sink;
GRANT SELECT ON sluice.sink_instances TO sluice_sink;
GRANT INSERT (dataset, instance, plan_sha256, version, contract) ON sluice.sink_instances TO sluice_sink;
GRANT UPDATE (plan_sha256, version, contract, started_at, last_seen) ON sluice.sink_instances TO sluice_sink;
