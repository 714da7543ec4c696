-- A route may answer by itself (a redirect, a maintenance page), and then it needs no service.

ALTER TABLE "plugboard"."routes" ALTER COLUMN "service_id" DROP NOT NULL;
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_service_or_answer" CHECK (service_id IS NOT NULL OR options ? 'redirect' OR options ? 'answer');
--> statement-breakpoint

-- check_route of 0001_rules.sql, for routes that have no service: what is new is each word of one that may be missing.
CREATE OR REPLACE FUNCTION plugboard.check_route() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  service record;
  other record;
  segments text[];
  above text[];
  beneath text;
BEGIN
  IF NEW.deleted_at IS NOT NULL THEN RETURN NEW; END IF;

  SELECT s.name, s.deleted_at INTO service FROM plugboard.services s WHERE s.id = NEW.service_id;
  IF service.deleted_at IS NOT NULL THEN
    RAISE EXCEPTION 'Service "%" has been deleted.', service.name
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'routes_service_living',
            TABLE = 'routes', COLUMN = 'service_id';
  END IF;

  segments := string_to_array(NEW.mount_path, '/');
  SELECT array_agg(array_to_string(segments[1:n], '/')) || '/'::text INTO above
    FROM generate_series(2, cardinality(segments)) AS n;
  beneath := CASE NEW.mount_path WHEN '/' THEN '' ELSE NEW.mount_path END;

  -- '0' is the character after '/': what lies between the two starts with the mount and a slash.
  SELECT r.id, r.host, r.mount_path, s.name AS service INTO other
    FROM plugboard.routes r LEFT JOIN plugboard.services s ON s.id = r.service_id
    WHERE r.deleted_at IS NULL AND r.host = NEW.host AND r.id <> NEW.id
      AND (r.mount_path = ANY (above) OR (r.mount_path > beneath || '/' AND r.mount_path < beneath || '0'))
    ORDER BY r.mount_path LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '%', CASE
        WHEN other.mount_path = NEW.mount_path
          THEN format('%s is mounted already.', plugboard.mount_text(NEW.host, NEW.mount_path))
        ELSE format('%s lies %s %s.', plugboard.mount_text(NEW.host, NEW.mount_path),
          CASE WHEN length(other.mount_path) < length(NEW.mount_path) THEN 'beneath' ELSE 'above' END,
          plugboard.mount_text(other.host, other.mount_path))
      END
      USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'routes_terminal_mounts',
            TABLE = 'routes', COLUMN = 'mount_path',
            DETAIL = format('Route %s mounts %s%s.', other.id,
              plugboard.mount_text(other.host, other.mount_path),
              CASE WHEN other.service IS NULL THEN '' ELSE format(' for service "%s"', other.service) END);
  END IF;
  RETURN NEW;
END $$;
