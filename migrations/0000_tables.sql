CREATE SCHEMA IF NOT EXISTS "plugboard";
--> statement-breakpoint
CREATE TABLE "plugboard"."admin_keys" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"last_used_at" timestamp (3) with time zone,
	CONSTRAINT "admin_keys_name_length" CHECK (length(name) BETWEEN 1 AND 255)
);
--> statement-breakpoint
CREATE TABLE "plugboard"."change_head" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"sequence" bigint NOT NULL,
	"change_id" uuid,
	CONSTRAINT "change_head_one_row" CHECK (singleton)
);
--> statement-breakpoint
CREATE TABLE "plugboard"."changes" (
	"sequence" bigint PRIMARY KEY NOT NULL,
	"id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" text NOT NULL,
	"entity" text NOT NULL,
	"entity_id" text NOT NULL,
	"action" text NOT NULL,
	"before" jsonb,
	"after" jsonb
);
--> statement-breakpoint
CREATE TABLE "plugboard"."routes" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"host" text COLLATE "C" NOT NULL,
	"mount_path" text COLLATE "C" NOT NULL,
	"service_id" uuid NOT NULL,
	"options" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"claimed_by" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	CONSTRAINT "routes_host_form" CHECK (length(host) <= 253 AND (host = '*'
        OR host ~ '^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$'
        OR host ~ '^\[[0-9a-f:.]{2,45}\]$')),
	CONSTRAINT "routes_mount_path_form" CHECK (mount_path = '/' OR (length(mount_path) <= 1024
        AND mount_path ~ '^(/([A-Za-z0-9._~!$&''()*+,\u003b=:@-]|%[0-9A-Fa-f]{2})+)+$'
        AND mount_path !~ '/(\.|%2[eE]){1,2}(/|$)'
        AND mount_path !~ '%00')),
	CONSTRAINT "routes_mount_path_reserved" CHECK ((mount_path || '/') !~ '^/_plugboard/'),
	CONSTRAINT "routes_options_object" CHECK (jsonb_typeof(options) = 'object')
);
--> statement-breakpoint
CREATE TABLE "plugboard"."services" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text COLLATE "C" NOT NULL,
	"policy" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone,
	CONSTRAINT "services_name_form" CHECK (name ~ '^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$'),
	CONSTRAINT "services_name_not_id" CHECK (name !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'),
	CONSTRAINT "services_policy_object" CHECK (jsonb_typeof(policy) = 'object')
);
--> statement-breakpoint
CREATE TABLE "plugboard"."signing_keys" (
	"kid" text PRIMARY KEY NOT NULL,
	"algorithm" text DEFAULT 'EdDSA' NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"private_jwk" jsonb NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"retired_at" timestamp (3) with time zone,
	CONSTRAINT "signing_keys_algorithm" CHECK (algorithm = 'EdDSA'),
	CONSTRAINT "signing_keys_public" CHECK (NOT public_jwk ? 'd')
);
--> statement-breakpoint
CREATE TABLE "plugboard"."tokens" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"services" text[] NOT NULL,
	"mounts" text[] NOT NULL,
	"ttl_seconds" integer NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"revoked_at" timestamp (3) with time zone,
	"last_seen_at" timestamp (3) with time zone,
	CONSTRAINT "tokens_name_length" CHECK (length(name) BETWEEN 1 AND 255),
	CONSTRAINT "tokens_ttl_positive" CHECK (ttl_seconds > 0)
);
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "plugboard"."services"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "admin_keys_prefix" ON "plugboard"."admin_keys" USING btree ("prefix");--> statement-breakpoint
CREATE INDEX "admin_keys_newest" ON "plugboard"."admin_keys" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "changes_entity" ON "plugboard"."changes" USING btree ("entity","entity_id","sequence");--> statement-breakpoint
CREATE UNIQUE INDEX "routes_mount_living" ON "plugboard"."routes" USING btree ("host","mount_path") WHERE deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX "routes_mount" ON "plugboard"."routes" USING btree ("host","mount_path","id");--> statement-breakpoint
CREATE INDEX "routes_service_living" ON "plugboard"."routes" USING btree ("service_id") WHERE deleted_at IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "services_name_living" ON "plugboard"."services" USING btree ("name") WHERE deleted_at IS NULL;--> statement-breakpoint
CREATE INDEX "services_name" ON "plugboard"."services" USING btree ("name","id");--> statement-breakpoint
CREATE UNIQUE INDEX "signing_keys_current" ON "plugboard"."signing_keys" USING btree ((true)) WHERE retired_at IS NULL;--> statement-breakpoint
CREATE INDEX "signing_keys_newest" ON "plugboard"."signing_keys" USING btree ("created_at","kid");--> statement-breakpoint
CREATE INDEX "tokens_newest" ON "plugboard"."tokens" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "tokens_revoked" ON "plugboard"."tokens" USING btree ("expires_at") WHERE revoked_at IS NOT NULL;