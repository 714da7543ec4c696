-- The deletion of many services by a bundle. For each service, check_service searched the living routes. When the newest statistics
-- were made while few routes were living, each search read a whole index: 100,000 routes and 1,000 services took minutes.

CREATE OR REPLACE TRIGGER services_check BEFORE UPDATE OF deleted_at
  ON plugboard.services FOR EACH ROW
  WHEN (coalesce(current_setting('plugboard.bundle', true), '') = '')
  EXECUTE FUNCTION plugboard.check_service();
--> statement-breakpoint

-- The rule of check_service (0001_rules.sql) for all rows of one statement. Without nested loops, it reads the living routes once.
CREATE FUNCTION plugboard.check_services() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_nestloop = off AS $$
DECLARE
  used record;
  route record;
BEGIN
  PERFORM FROM new_rows n WHERE n.deleted_at IS NOT NULL LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;

  SELECT n.id, n.name, count(*) AS routes INTO used
    FROM new_rows n JOIN plugboard.routes r ON r.service_id = n.id
    WHERE n.deleted_at IS NOT NULL AND r.deleted_at IS NULL
    GROUP BY n.id, n.name ORDER BY n.name LIMIT 1;
  IF FOUND THEN
    SELECT r.id, r.host, r.mount_path INTO route FROM plugboard.routes r
      WHERE r.deleted_at IS NULL AND r.service_id = used.id ORDER BY r.host, r.mount_path LIMIT 1;
    RAISE EXCEPTION 'Service "%" still has % route(s).', used.name, used.routes
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'services_without_routes',
            TABLE = 'services', COLUMN = 'deleted_at',
            DETAIL = format('Route %s mounts %s.', route.id, plugboard.mount_text(route.host, route.mount_path));
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER services_updated_check AFTER UPDATE ON plugboard.services REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT WHEN (coalesce(current_setting('plugboard.bundle', true), '') <> '')
  EXECUTE FUNCTION plugboard.check_services();
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796700000000, '0018_service_checks', '0.1.0');
