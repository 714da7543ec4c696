-- The oldest version of Plugboard that may run on a schema with this migration. An older version reads the rows of
-- migrations that it does not have, and starts if each of them allows it (plugboard/database/compatibility.ts).
--
-- `migration`: `when` in meta/_journal.json, which plugboard.migrations has as created_at. Each migration from this one on
-- inserts its own row.
CREATE TABLE "plugboard"."compatibility" (
	"migration" bigint PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"oldest_version" text NOT NULL,
	CONSTRAINT "compatibility_version_form" CHECK (oldest_version ~ '^[0-9]{1,6}[.][0-9]{1,6}[.][0-9]{1,6}$')
);
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796000400000, '0010_compatibility', '0.1.0');
