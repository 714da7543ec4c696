-- The use of limits with a window of an hour or more, so that it survives a restart. Each replica writes the keys of the last
-- requests every 30 s, and at its stop. No part of the log of changes.
CREATE TABLE "plugboard"."limit_usage" (
	-- The keyed hash of the limit and its key, as in the memory of replicas.
	"key" bigint NOT NULL,
	-- Empty: the limit counts over all replicas. Otherwise the replica that counts.
	"replica" text COLLATE "C" NOT NULL,
	-- When the whole burst is available again. After that, the row has no meaning, and is deleted.
	"full_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "limit_usage_key_replica_pk" PRIMARY KEY("key","replica")
);
--> statement-breakpoint
CREATE INDEX "limit_usage_full" ON "plugboard"."limit_usage" USING btree ("full_at");
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796100000000, '0012_limit_usage', '0.1.0');
