-- Limits of a token. NULL: the default of the replicas' settings.

ALTER TABLE "plugboard"."tokens" ADD COLUMN "max_tunnels" integer;
--> statement-breakpoint
ALTER TABLE "plugboard"."tokens" ADD COLUMN "max_claims" integer;
--> statement-breakpoint
ALTER TABLE "plugboard"."tokens" ADD COLUMN "max_announcements_per_minute" integer;
--> statement-breakpoint
ALTER TABLE "plugboard"."tokens" ADD CONSTRAINT "tokens_limits" CHECK (max_tunnels > 0 AND max_claims >= 0 AND max_announcements_per_minute > 0);
--> statement-breakpoint

-- Counts the claims of one token.
CREATE INDEX "routes_claimed_living" ON "plugboard"."routes" USING btree ("claimed_by") WHERE deleted_at IS NULL AND claimed_by IS NOT NULL;
--> statement-breakpoint

-- The token whose claim was the reason for an order. NULL: an order that no claim was the reason for.
ALTER TABLE "plugboard"."certificates" ADD COLUMN "claimed_by" text;
--> statement-breakpoint

-- The trigger of 0001_rules.sql lists the columns whose change takes the lock of all writers. The limits are among them.
CREATE OR REPLACE TRIGGER tokens_lock
  BEFORE INSERT OR DELETE OR UPDATE OF id, name, services, mounts, ttl_seconds, version, created_at, updated_at, revoked_at,
    max_tunnels, max_claims, max_announcements_per_minute
  ON plugboard.tokens FOR EACH STATEMENT EXECUTE FUNCTION plugboard.lock_changes();
