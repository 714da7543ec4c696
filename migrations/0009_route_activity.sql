-- Claims with a lifetime, the time at which each route was last used, and the time during which that was recorded.

-- How long a claimed route outlives the last line of its telephones, ms. NULL: until somebody deletes the route.
ALTER TABLE "plugboard"."routes" ADD COLUMN "lifetime_ms" bigint;
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_lifetime_positive" CHECK (lifetime_ms > 0);
--> statement-breakpoint
-- True when a claim with a lifetime created the service. The service is deleted with its last route.
ALTER TABLE "plugboard"."services" ADD COLUMN "ephemeral" boolean DEFAULT false NOT NULL;
--> statement-breakpoint

-- Finds the routes that may be due for deletion.
CREATE INDEX "routes_lifetime_living" ON "plugboard"."routes" USING btree ("id") WHERE deleted_at IS NULL AND lifetime_ms IS NOT NULL;
--> statement-breakpoint

-- The triggers of 0001_rules.sql list the columns whose change takes the lock of all writers. The new columns are among them.
CREATE OR REPLACE TRIGGER routes_lock
  BEFORE INSERT OR DELETE OR UPDATE OF id, host, mount_path, service_id, options, claimed_by, version, created_at, updated_at,
    deleted_at, lifetime_ms
  ON plugboard.routes FOR EACH STATEMENT EXECUTE FUNCTION plugboard.lock_changes();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER services_lock
  BEFORE INSERT OR DELETE OR UPDATE OF id, name, policy, version, created_at, updated_at, deleted_at, ephemeral
  ON plugboard.services FOR EACH STATEMENT EXECUTE FUNCTION plugboard.lock_changes();
--> statement-breakpoint

-- Written by each replica once a minute. No part of the log of changes.
CREATE TABLE "plugboard"."route_activity" (
	"route_id" uuid PRIMARY KEY NOT NULL,
	"served_at" timestamp (3) with time zone,
	"telephone" text,
	"line_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "plugboard"."route_activity" ADD CONSTRAINT "route_activity_route_id_routes_id_fk" FOREIGN KEY ("route_id") REFERENCES "plugboard"."routes"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint

-- Periods during which at least one replica recorded. They may overlap.
CREATE TABLE "plugboard"."recording_periods" (
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "recording_periods_order" CHECK (started_at <= ended_at)
);
--> statement-breakpoint
CREATE INDEX "recording_periods_end" ON "plugboard"."recording_periods" USING btree ("ended_at");
--> statement-breakpoint

-- Work that one replica of all does.
CREATE TABLE "plugboard"."leases" (
	"name" text COLLATE "C" PRIMARY KEY NOT NULL,
	"owner" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint

-- Returns the moment since which replicas have recorded for as long as `span`. NULL: they have recorded for less.
CREATE FUNCTION plugboard.recorded_cutoff(span interval) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
  WITH merged AS (
    SELECT unnest(range_agg(tstzrange(p.started_at, p.ended_at))) AS period FROM plugboard.recording_periods p
  ), sums AS (
    SELECT lower(period) AS started_at, sum(upper(period) - lower(period)) OVER (ORDER BY lower(period) DESC) AS recorded
      FROM merged
  )
  SELECT started_at + (recorded - span) FROM sums WHERE recorded >= span ORDER BY started_at DESC LIMIT 1
$$;
