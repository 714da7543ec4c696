-- The name of a service may contain underscores, and three names are reserved for the services of Plugboard itself.

DO $$
DECLARE
  taken text;
BEGIN
  SELECT string_agg(format('%s (%s)', s.name, s.id), ', ' ORDER BY s.name) INTO taken FROM plugboard.services s
    WHERE s.deleted_at IS NULL AND (s.name IN ('plugboard.functions', 'plugboard.placement', 'plugboard.events')
      OR s.policy -> 'aliases' ?| ARRAY['plugboard.functions', 'plugboard.placement', 'plugboard.events']);
  IF taken IS NOT NULL THEN
    RAISE EXCEPTION 'These services have a name or an alias that is reserved for Plugboard now (plugboard.functions, plugboard.placement, plugboard.events): %. Give each one another name in the version that runs now, remove the alias from its policy, and migrate again.', taken
      USING ERRCODE = 'check_violation';
  END IF;
END $$;
--> statement-breakpoint
ALTER TABLE "plugboard"."services" DROP CONSTRAINT "services_name_form";
--> statement-breakpoint
ALTER TABLE "plugboard"."services" ADD CONSTRAINT "services_name_form" CHECK (name ~ '^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$');
--> statement-breakpoint
ALTER TABLE "plugboard"."services" ADD CONSTRAINT "services_name_not_reserved" CHECK (deleted_at IS NOT NULL OR name NOT IN ('plugboard.functions', 'plugboard.placement', 'plugboard.events'));
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796900000000, '0020_service_names', '0.1.0');
