CREATE TABLE "plugboard"."replicas" (
	"id" text COLLATE "C" PRIMARY KEY NOT NULL,
	"boot" text COLLATE "C" NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"address" text NOT NULL,
	"public_url" text,
	"version" text NOT NULL,
	"state" text NOT NULL,
	"applied_sequence" bigint NOT NULL,
	"heartbeat_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "replicas_id_length" CHECK (length(id) BETWEEN 1 AND 255),
	CONSTRAINT "replicas_state_known" CHECK (state IN ('ready', 'leaving'))
);
