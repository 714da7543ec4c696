CREATE TABLE "plugboard"."acme_accounts" (
	"directory" text PRIMARY KEY NOT NULL,
	"url" text NOT NULL,
	"key" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "plugboard"."acme_challenges" (
	"name" text COLLATE "C" PRIMARY KEY NOT NULL,
	"value" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "acme_challenges_name_form" CHECK (name ~ '^(http|tls) ')
);
--> statement-breakpoint
CREATE TABLE "plugboard"."certificates" (
	"host" text COLLATE "C" PRIMARY KEY NOT NULL,
	"chain" text,
	"key" text,
	"not_after" timestamp (3) with time zone,
	"renew_at" timestamp (3) with time zone,
	"issued_at" timestamp (3) with time zone,
	"failures" integer DEFAULT 0 NOT NULL,
	"last_error" text,
	"attempted_at" timestamp (3) with time zone,
	"next_attempt_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"lease_owner" text,
	"lease_until" timestamp (3) with time zone,
	CONSTRAINT "certificates_whole" CHECK ((chain IS NULL) = (key IS NULL))
);
--> statement-breakpoint
CREATE INDEX "certificates_renewal" ON "plugboard"."certificates" USING btree ("renew_at");--> statement-breakpoint
CREATE INDEX "certificates_issued" ON "plugboard"."certificates" USING btree ("issued_at");--> statement-breakpoint
CREATE INDEX "certificates_attempted" ON "plugboard"."certificates" USING btree ("attempted_at");