-- sluice migration 0001  dataset monitoring_events v1  phase expand
-- from sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b  to sha256:9908339cd4316b58eceaeb1b74e7afcf8c752df1793564b54b793eb7204275b9  previous none  sql sha256:8103b5e189adac1f8d7ab7471aa3fbb1a0d92eb5d05370ea65effa34c01988c2
-- planner 1  postgres 15+
-- step 1: create table "monitoring_events_v1"    lock none, instant    after sha256:50c8aabfd8215ff86fa0af832a98a2597ec484d55f74340919ae9932c104f1ba
CREATE TABLE "datasets"."monitoring_events_v1" (
    "source" text NOT NULL,
    "name" text NOT NULL,
    "level" text NOT NULL,
    "occurred_at" timestamp with time zone NOT NULL,
    "message" text,
    "value" double precision,
    "duration_ms" double precision,
    "attempt" bigint NOT NULL DEFAULT '1'::bigint,
    "trace_id" text,
    "labels" jsonb,
    "sent_at" timestamp with time zone,
    "ingested_at" timestamp with time zone NOT NULL DEFAULT now(),
    "sender" text,
    "sluice_message_id" uuid NOT NULL,
    "sluice_position" integer NOT NULL,
    CONSTRAINT "ck_attempt_3d8fe762bf9e" CHECK ("attempt" <= '1000'::bigint),
    CONSTRAINT "ck_attempt_8cb9205deefb" CHECK ("attempt" >= '1'::bigint),
    CONSTRAINT "ck_duration_ms_45378fecf166" CHECK ("duration_ms" >= '0'::double precision),
    CONSTRAINT "ck_level_5c8b99fa0e59" CHECK ("level" IN ('debug'::text, 'error'::text, 'info'::text, 'warning'::text)),
    CONSTRAINT "ck_message_2cdc8136dd4b" CHECK (char_length("message") <= 10000),
    CONSTRAINT "ck_name_03b3286b4e78" CHECK (char_length("name") <= 120),
    CONSTRAINT "ck_name_b1edcdcf9b5c" CHECK ("name" ~ '^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)*$'),
    CONSTRAINT "ck_source_4e8fa6246a8d" CHECK (char_length("source") >= 1 AND char_length("source") <= 120),
    CONSTRAINT "ck_trace_id_7f6009067940" CHECK ("trace_id" ~ '^[0-9a-f]{32}$'),
    CONSTRAINT "monitoring_events_v1_key" PRIMARY KEY ("sluice_message_id", "sluice_position")
);
-- step 2: create index "monitoring_events_v1_by_source_idx"    lock none, instant    after sha256:fa88f85ae96fcdc169edbc0e3aef641358e34019965313c9fe1548b0a818896a
CREATE INDEX "monitoring_events_v1_by_source_idx" ON "datasets"."monitoring_events_v1" USING btree ("source", "occurred_at" DESC);
-- step 3: create index "monitoring_events_v1_errors_idx"    lock none, instant    after sha256:3375fdd37c89d9aa164d39bee252a637ac983cc580f50a2c6b0b8ae40aa3a508
CREATE INDEX "monitoring_events_v1_errors_idx" ON "datasets"."monitoring_events_v1" USING btree ("name", "occurred_at" DESC) WHERE (level = 'error');
COMMENT ON INDEX "datasets"."monitoring_events_v1_errors_idx" IS 'f64f8d001098';
-- step 4: create index "monitoring_events_v1_labels_idx"    lock none, instant    after sha256:fb63454690f39d3826f00af37bc44eb72d5495d2cf5ab03bb3692e3c567609d1
CREATE INDEX "monitoring_events_v1_labels_idx" ON "datasets"."monitoring_events_v1" USING gin ("labels");
-- step 5: comment on "monitoring_events_v1"    lock none, instant    after sha256:3aa85b211be0e0a49a72af38a1989fc5b82c46e488b03c26a5ee62efe421358c
COMMENT ON TABLE "datasets"."monitoring_events_v1" IS 'What every job and host reports about itself, as it comes: many a second, none has a key of its own.';
COMMENT ON COLUMN "datasets"."monitoring_events_v1"."duration_ms" IS 'Null where the work is still running';
COMMENT ON COLUMN "datasets"."monitoring_events_v1"."name" IS 'What is reported, dotted: http.request, disk.usage';
COMMENT ON COLUMN "datasets"."monitoring_events_v1"."source" IS 'The job or host that reports';
COMMENT ON COLUMN "datasets"."monitoring_events_v1"."trace_id" IS 'W3C trace id';
-- step 6: create view "monitoring_events"    lock none, instant    after sha256:9908339cd4316b58eceaeb1b74e7afcf8c752df1793564b54b793eb7204275b9
CREATE VIEW "datasets"."monitoring_events" ("source", "name", "level", "occurred_at", "message", "value", "duration_ms", "attempt", "trace_id", "labels", "sent_at", "ingested_at", "sender") AS
SELECT "source", "name", "level", "occurred_at", "message", "value", "duration_ms", "attempt", "trace_id", "labels", "sent_at", "ingested_at", "sender"
FROM "datasets"."monitoring_events_v1";
COMMENT ON VIEW "datasets"."monitoring_events" IS 'What every job and host reports about itself, as it comes: many a second, none has a key of its own.';
COMMENT ON COLUMN "datasets"."monitoring_events"."duration_ms" IS 'Null where the work is still running';
COMMENT ON COLUMN "datasets"."monitoring_events"."name" IS 'What is reported, dotted: http.request, disk.usage';
COMMENT ON COLUMN "datasets"."monitoring_events"."source" IS 'The job or host that reports';
COMMENT ON COLUMN "datasets"."monitoring_events"."trace_id" IS 'W3C trace id';
-- step 7: register monitoring_events v1    lock none, instant    after sha256:9908339cd4316b58eceaeb1b74e7afcf8c752df1793564b54b793eb7204275b9
INSERT INTO sluice.datasets (dataset, dataset_uuid, owner, current_version, writer_role)
VALUES ('monitoring_events', '3c076272-fbe8-5179-afc6-66e6da2c89bb'::uuid, 'observability', 1, current_setting('sluice.writer_role')::name);
INSERT INTO sluice.generations (dataset, version, relation_schema, relation)
VALUES ('monitoring_events', 1, 'datasets', 'monitoring_events_v1');
INSERT INTO sluice.dataset_heads (dataset, version)
VALUES ('monitoring_events', 1);
