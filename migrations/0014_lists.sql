-- Lists that are sorted and filtered, the last request of each service, and the results of creations with an Idempotency-Key.

CREATE INDEX "changes_actor" ON "plugboard"."changes" USING btree ("actor","sequence");
--> statement-breakpoint
CREATE INDEX "routes_updated_living" ON "plugboard"."routes" USING btree ("updated_at","id") WHERE deleted_at IS NULL;
--> statement-breakpoint
CREATE INDEX "routes_created_living" ON "plugboard"."routes" USING btree ("created_at","id") WHERE deleted_at IS NULL;
--> statement-breakpoint
CREATE INDEX "route_activity_served" ON "plugboard"."route_activity" USING btree ("served_at","route_id");
--> statement-breakpoint

-- The last request of each service, over all its routes. Replicas write it together with route_activity.
CREATE TABLE "plugboard"."service_activity" (
	"service_id" uuid PRIMARY KEY NOT NULL,
	"served_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "plugboard"."service_activity" ADD CONSTRAINT "service_activity_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "plugboard"."services"("id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
INSERT INTO plugboard.service_activity (service_id, served_at)
SELECT r.service_id, max(a.served_at) FROM plugboard.route_activity a JOIN plugboard.routes r ON r.id = a.route_id
WHERE a.served_at IS NOT NULL AND r.service_id IS NOT NULL GROUP BY r.service_id;
--> statement-breakpoint

-- The results of creations with an Idempotency-Key, for 24 h. No part of the log of changes.
CREATE TABLE "plugboard"."idempotency_keys" (
	-- The admin key of the request.
	"credential" uuid NOT NULL,
	-- The value of the header field.
	"key" text COLLATE "C" NOT NULL,
	-- SHA-256 of method, path and body, so that another request with the same key is found.
	"fingerprint" text NOT NULL,
	-- The path of the created row.
	"location" text NOT NULL,
	-- The response. NULL: it had a secret, which is not stored.
	"body" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_credential_key_pk" PRIMARY KEY("credential","key"),
	CONSTRAINT "idempotency_keys_length" CHECK (length(key) BETWEEN 1 AND 255)
);
--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "plugboard"."idempotency_keys" USING btree ("created_at");
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796300000000, '0014_lists', '0.1.0');
