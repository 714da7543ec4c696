-- The persons who looked at captured exchanges, and the replays. Each row gets an entry in the log of changes.

CREATE TABLE "plugboard"."inspections" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"actor" text NOT NULL,
	"service_id" uuid NOT NULL,
	-- The name of the service at that time.
	"service" text NOT NULL,
	"kind" text NOT NULL,
	-- The exchange that is repeated. NULL: exchanges were read.
	"exchange" text,
	-- The hour in which the actor reads exchanges of the service.
	"hour" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "inspections_kind_known" CHECK (kind IN ('read', 'replay'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX "inspections_read" ON "plugboard"."inspections" USING btree ("actor","service_id","hour") WHERE kind = 'read';
--> statement-breakpoint
CREATE INDEX "inspections_created" ON "plugboard"."inspections" USING btree ("created_at");
--> statement-breakpoint

-- Only insertions are entries of the log: rows are never changed, and their removal after a day is no event.
CREATE TRIGGER inspections_lock BEFORE INSERT ON plugboard.inspections
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.lock_changes();
--> statement-breakpoint
CREATE TRIGGER inspections_inserted AFTER INSERT ON plugboard.inspections REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_changes('inspection', 'id', '', '');
--> statement-breakpoint
CREATE TRIGGER inspections_written BEFORE UPDATE OR TRUNCATE ON plugboard.inspections
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.refuse('rows about inspections are not rewritten.');
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796400000000, '0015_inspections', '0.1.0');
