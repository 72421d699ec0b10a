-- sluice migration 0001  dataset alert_events v1  phase expand
-- from sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b  to sha256:39d727bb6d62fbe9409ccc9659cfa3d9d3baaf43d9dd721b534e8758e375fcc4  previous none  sql sha256:14585df587c3eeb2fb0b418474b1f7ab501e54b56a29d8ab9cf2be3d34f9d35b
-- planner 1  postgres 15+
-- step 1: create table "alert_events_v1"    lock none, instant    after sha256:b9faedf0f5c1975132eb6dc68d274ce8dfa245edc350e3e40167834940ac1c60
CREATE TABLE "datasets"."alert_events_v1" (
    "org_id" uuid NOT NULL,
    "dedupe_key" text NOT NULL,
    "severity" text NOT NULL,
    "raised_at" timestamp with time zone NOT NULL,
    "title" text,
    "value" numeric(12,4),
    "muted" boolean NOT NULL DEFAULT 'false'::boolean,
    "labels" jsonb,
    "ingested_at" timestamp with time zone NOT NULL DEFAULT now(),
    "sender" text,
    CONSTRAINT "ck_dedupe_key_5c40ccdf119f" CHECK (char_length("dedupe_key") >= 1 AND char_length("dedupe_key") <= 200),
    CONSTRAINT "ck_severity_85823d607cfc" CHECK ("severity" IN ('critical'::text, 'info'::text, 'warning'::text)),
    CONSTRAINT "ck_title_cd8bc7250715" CHECK (char_length("title") >= 1 AND char_length("title") <= 300),
    CONSTRAINT "alert_events_v1_key" PRIMARY KEY ("org_id", "dedupe_key")
);
-- step 2: create index "alert_events_v1_recent_idx"    lock none, instant    after sha256:51385332cbe693369fec1817f0074d43f52656ff6e33168534056c7b4083f85f
CREATE INDEX "alert_events_v1_recent_idx" ON "datasets"."alert_events_v1" USING btree ("org_id", "raised_at" DESC) WHERE (severity = 'critical');
COMMENT ON INDEX "datasets"."alert_events_v1_recent_idx" IS 'f102fc353d77';
-- step 3: comment on "alert_events_v1"    lock none, instant    after sha256:3dfbde9d5e397b1464d9c93326b2e4ea5d815a23e648cabca51f82fbff573bf6
COMMENT ON TABLE "datasets"."alert_events_v1" IS 'Alerts raised by any job; one row per organisation and dedupe key, the first one stays.';
COMMENT ON COLUMN "datasets"."alert_events_v1"."dedupe_key" IS 'Stable per alert: the same trouble raises the same key';
COMMENT ON COLUMN "datasets"."alert_events_v1"."labels" IS 'Where it comes from: service, region, rule';
COMMENT ON COLUMN "datasets"."alert_events_v1"."muted" IS 'Raised while the rule was muted: recorded, nobody paged';
COMMENT ON COLUMN "datasets"."alert_events_v1"."org_id" IS 'The organisation that the alert concerns';
COMMENT ON COLUMN "datasets"."alert_events_v1"."raised_at" IS 'When the job saw the trouble';
COMMENT ON COLUMN "datasets"."alert_events_v1"."title" IS 'One line for a person';
COMMENT ON COLUMN "datasets"."alert_events_v1"."value" IS 'The measured value that crossed its limit';
-- step 4: create view "alert_events"    lock none, instant    after sha256:39d727bb6d62fbe9409ccc9659cfa3d9d3baaf43d9dd721b534e8758e375fcc4
CREATE VIEW "datasets"."alert_events" ("org_id", "dedupe_key", "severity", "raised_at", "title", "value", "muted", "labels", "ingested_at", "sender") AS
SELECT "org_id", "dedupe_key", "severity", "raised_at", "title", "value", "muted", "labels", "ingested_at", "sender"
FROM "datasets"."alert_events_v1";
COMMENT ON VIEW "datasets"."alert_events" IS 'Alerts raised by any job; one row per organisation and dedupe key, the first one stays.';
COMMENT ON COLUMN "datasets"."alert_events"."dedupe_key" IS 'Stable per alert: the same trouble raises the same key';
COMMENT ON COLUMN "datasets"."alert_events"."labels" IS 'Where it comes from: service, region, rule';
COMMENT ON COLUMN "datasets"."alert_events"."muted" IS 'Raised while the rule was muted: recorded, nobody paged';
COMMENT ON COLUMN "datasets"."alert_events"."org_id" IS 'The organisation that the alert concerns';
COMMENT ON COLUMN "datasets"."alert_events"."raised_at" IS 'When the job saw the trouble';
COMMENT ON COLUMN "datasets"."alert_events"."title" IS 'One line for a person';
COMMENT ON COLUMN "datasets"."alert_events"."value" IS 'The measured value that crossed its limit';
-- step 5: register alert_events v1    lock none, instant    after sha256:39d727bb6d62fbe9409ccc9659cfa3d9d3baaf43d9dd721b534e8758e375fcc4
INSERT INTO sluice.datasets (dataset, dataset_uuid, owner, current_version, writer_role)
VALUES ('alert_events', '5a078a35-2242-5fe6-ae66-14c310ee80b9'::uuid, 'risk-platform', 1, current_setting('sluice.writer_role')::name);
INSERT INTO sluice.generations (dataset, version, relation_schema, relation)
VALUES ('alert_events', 1, 'datasets', 'alert_events_v1');
INSERT INTO sluice.dataset_heads (dataset, version)
VALUES ('alert_events', 1);
