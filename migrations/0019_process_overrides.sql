-- What operators set for one telephone process of a service: a weight, or an ejection. Replicas follow the rows through the log of
-- changes, as they follow routes.

CREATE TABLE "plugboard"."process_overrides" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"service_id" uuid NOT NULL,
	-- The id of the process. Each start of a telephone has a new one.
	"instance" text COLLATE "C" NOT NULL,
	-- The name of the telephone at that time.
	"telephone" text NOT NULL,
	-- Replaces the announced weight; 0: no new requests. NULL: the announced weight applies.
	"weight" integer,
	-- No requests until then. NULL: not ejected.
	"ejected_until" timestamp (3) with time zone,
	"reason" text,
	-- The name of the admin key that wrote the row last.
	"set_by" text NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	-- When a replica last had a tunnel of the process.
	"seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "process_overrides_weight" CHECK (weight BETWEEN 0 AND 1000),
	CONSTRAINT "process_overrides_effect" CHECK (weight IS NOT NULL OR ejected_until IS NOT NULL),
	CONSTRAINT "process_overrides_lengths" CHECK (length(instance) BETWEEN 1 AND 255 AND length(reason) <= 200)
);
--> statement-breakpoint
ALTER TABLE "plugboard"."process_overrides" ADD CONSTRAINT "process_overrides_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "plugboard"."services"("id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
CREATE UNIQUE INDEX "process_overrides_living" ON "plugboard"."process_overrides" USING btree ("service_id","instance") WHERE deleted_at IS NULL;
--> statement-breakpoint
CREATE INDEX "process_overrides_created" ON "plugboard"."process_overrides" USING btree ("created_at","id");
--> statement-breakpoint

-- `seen_at` may change without a trace, and without the lock of all writers.
CREATE TRIGGER process_overrides_lock BEFORE INSERT OR UPDATE OF id, service_id, instance, telephone, weight, ejected_until, reason,
    set_by, version, created_at, updated_at, deleted_at
  ON plugboard.process_overrides FOR EACH STATEMENT EXECUTE FUNCTION plugboard.lock_changes();
--> statement-breakpoint
CREATE TRIGGER process_overrides_version BEFORE UPDATE ON plugboard.process_overrides
  FOR EACH ROW EXECUTE FUNCTION plugboard.count_version('seen_at');
--> statement-breakpoint
CREATE TRIGGER process_overrides_inserted AFTER INSERT ON plugboard.process_overrides REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_changes('process_override', 'id', '', 'seen_at');
--> statement-breakpoint
CREATE TRIGGER process_overrides_updated AFTER UPDATE ON plugboard.process_overrides
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_changes('process_override', 'id', '', 'seen_at');
--> statement-breakpoint

-- A row is deleted by `deleted_at`, which the log records. Its later removal has no effect on traffic, so the log does not record it.
CREATE TRIGGER process_overrides_removed BEFORE DELETE ON plugboard.process_overrides
  FOR EACH ROW WHEN (OLD.deleted_at IS NULL)
  EXECUTE FUNCTION plugboard.refuse('set deleted_at first, so that all replicas follow.');
--> statement-breakpoint
CREATE TRIGGER process_overrides_truncated BEFORE TRUNCATE ON plugboard.process_overrides
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.refuse('set deleted_at first, so that all replicas follow.');
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796800000000, '0019_process_overrides', '0.1.0');
