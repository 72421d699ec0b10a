-- sluice migration 0001  dataset integrity_signals v1  phase expand
-- from sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b  to sha256:a9f3db62e1854da43d010bdc81c253845a0d58c994da77cb62b6c43eab851359  previous none  sql sha256:0a968244f6ef2ba2b4ed1ec743436d4ea3836eed03e87ff6973e357807f92294
-- planner 1  postgres 15+
-- step 1: create table "integrity_signals_v1"    lock none, instant    after sha256:5abccf0e282ee9f5eb99c44f1048114537ec10c3a33d93da0c7147913b8a26e9
CREATE TABLE "datasets"."integrity_signals_v1" (
    "asset_id" uuid NOT NULL,
    "check_name" text NOT NULL,
    "status" text NOT NULL,
    "score" numeric(6,3) NOT NULL,
    "observed_at" timestamp with time zone NOT NULL,
    "expected_digest" text,
    "actual_digest" text,
    "duration_ms" bigint,
    "findings" jsonb,
    "scanner" text,
    "received_at" timestamp with time zone NOT NULL DEFAULT now(),
    "sluice_sent_at" timestamp with time zone NOT NULL,
    "sluice_message_id" uuid NOT NULL,
    "sluice_position" integer NOT NULL,
    CONSTRAINT "ck_actual_digest_006bb31a0b38" CHECK ("actual_digest" ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT "ck_check_name_45938c5e336f" CHECK (char_length("check_name") <= 63),
    CONSTRAINT "ck_check_name_5289e3dc246d" CHECK ("check_name" ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT "ck_duration_ms_45378fecf166" CHECK ("duration_ms" >= '0'::bigint),
    CONSTRAINT "ck_expected_digest_b40df122c794" CHECK ("expected_digest" ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT "ck_ok_is_trusted_bdeb9d497d90" CHECK (status <> 'ok' OR score >= 50),
    CONSTRAINT "ck_score_666413bea760" CHECK ("score" >= '0'::numeric),
    CONSTRAINT "ck_score_681ca6083722" CHECK ("score" <= '100'::numeric),
    CONSTRAINT "ck_status_67a836f175ee" CHECK ("status" IN ('mismatch'::text, 'ok'::text, 'skipped'::text, 'unreachable'::text)),
    CONSTRAINT "integrity_signals_v1_key" PRIMARY KEY ("asset_id", "check_name")
);
-- step 2: create index "integrity_signals_v1_failing_idx"    lock none, instant    after sha256:a2cffe86c72f085f35a4253f7b43b0e7aefcfa387f9f1a5f64b760ab4e8ea070
CREATE INDEX "integrity_signals_v1_failing_idx" ON "datasets"."integrity_signals_v1" USING btree ("observed_at" DESC) INCLUDE ("asset_id", "check_name") WHERE (status <> 'ok');
COMMENT ON INDEX "datasets"."integrity_signals_v1_failing_idx" IS 'b1f478ace0b6';
-- step 3: create index "integrity_signals_v1_findings_idx"    lock none, instant    after sha256:6082644bfea948734f58b8e4eb4461849477b403cbff1fddd557ab3b793cb51f
CREATE INDEX "integrity_signals_v1_findings_idx" ON "datasets"."integrity_signals_v1" USING gin ("findings");
-- step 4: comment on "integrity_signals_v1"    lock none, instant    after sha256:103a9d2be1e9ceb1f20b162d50d14b280e65ffd8b307a1cd501cb65da661146d
COMMENT ON TABLE "datasets"."integrity_signals_v1" IS 'The latest result of each integrity check on each asset; a newer observation replaces an older one.';
COMMENT ON COLUMN "datasets"."integrity_signals_v1"."actual_digest" IS 'What was found';
COMMENT ON COLUMN "datasets"."integrity_signals_v1"."asset_id" IS 'The asset that was examined: a repository, an image, a host';
COMMENT ON COLUMN "datasets"."integrity_signals_v1"."check_name" IS 'Which check: image-digest, lockfile, signature';
COMMENT ON COLUMN "datasets"."integrity_signals_v1"."duration_ms" IS 'How long the check took';
COMMENT ON COLUMN "datasets"."integrity_signals_v1"."expected_digest" IS 'What was promised';
COMMENT ON COLUMN "datasets"."integrity_signals_v1"."findings" IS 'What is wrong, worst first';
COMMENT ON COLUMN "datasets"."integrity_signals_v1"."observed_at" IS 'When the scanner looked; the newest wins';
COMMENT ON COLUMN "datasets"."integrity_signals_v1"."score" IS 'Trust in the asset after this check, 0 to 100';
-- step 5: create view "integrity_signals"    lock none, instant    after sha256:a9f3db62e1854da43d010bdc81c253845a0d58c994da77cb62b6c43eab851359
CREATE VIEW "datasets"."integrity_signals" ("asset_id", "check_name", "status", "score", "observed_at", "expected_digest", "actual_digest", "duration_ms", "findings", "scanner", "received_at") AS
SELECT "asset_id", "check_name", "status", "score", "observed_at", "expected_digest", "actual_digest", "duration_ms", "findings", "scanner", "received_at"
FROM "datasets"."integrity_signals_v1";
COMMENT ON VIEW "datasets"."integrity_signals" IS 'The latest result of each integrity check on each asset; a newer observation replaces an older one.';
COMMENT ON COLUMN "datasets"."integrity_signals"."actual_digest" IS 'What was found';
COMMENT ON COLUMN "datasets"."integrity_signals"."asset_id" IS 'The asset that was examined: a repository, an image, a host';
COMMENT ON COLUMN "datasets"."integrity_signals"."check_name" IS 'Which check: image-digest, lockfile, signature';
COMMENT ON COLUMN "datasets"."integrity_signals"."duration_ms" IS 'How long the check took';
COMMENT ON COLUMN "datasets"."integrity_signals"."expected_digest" IS 'What was promised';
COMMENT ON COLUMN "datasets"."integrity_signals"."findings" IS 'What is wrong, worst first';
COMMENT ON COLUMN "datasets"."integrity_signals"."observed_at" IS 'When the scanner looked; the newest wins';
COMMENT ON COLUMN "datasets"."integrity_signals"."score" IS 'Trust in the asset after this check, 0 to 100';
-- step 6: register integrity_signals v1    lock none, instant    after sha256:a9f3db62e1854da43d010bdc81c253845a0d58c994da77cb62b6c43eab851359
INSERT INTO sluice.datasets (dataset, dataset_uuid, owner, current_version, writer_role)
VALUES ('integrity_signals', '28a12241-61f5-5cdd-8140-c4efe0c6c684'::uuid, 'supply-chain', 1, current_setting('sluice.writer_role')::name);
INSERT INTO sluice.generations (dataset, version, relation_schema, relation)
VALUES ('integrity_signals', 1, 'datasets', 'integrity_signals_v1');
INSERT INTO sluice.dataset_heads (dataset, version)
VALUES ('integrity_signals', 1);
