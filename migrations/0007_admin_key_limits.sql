-- An admin key can be limited to the services and mounts that it may hand out and change. Both NULL: no limit. Both are
-- set together, and never for a key that may do everything: it could make a key without limits.

ALTER TABLE "plugboard"."admin_keys" ADD COLUMN "limit_services" text[];
--> statement-breakpoint
ALTER TABLE "plugboard"."admin_keys" ADD COLUMN "limit_mounts" text[];
--> statement-breakpoint
ALTER TABLE "plugboard"."admin_keys" ADD CONSTRAINT "admin_keys_limits_whole" CHECK ((limit_services IS NULL) = (limit_mounts IS NULL));
--> statement-breakpoint
ALTER TABLE "plugboard"."admin_keys" ADD CONSTRAINT "admin_keys_limits_not_admin" CHECK (limit_services IS NULL OR NOT 'admin' = ANY (scopes));
