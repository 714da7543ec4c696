-- A bundle with 100,000 rows holds the lock of all writers for less time. The rules stay the same: their checks cost less, and no
-- check takes a time that grows with the square of the rows.

-- The first alternative of each CHECK accepts the usual texts. Bounded repetitions of the full pattern take ten times as long.
ALTER TABLE "plugboard"."routes" DROP CONSTRAINT "routes_host_form";
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_host_form" CHECK ((length(host) <= 63 AND host ~ '^[a-z0-9]+([.-][a-z0-9]+)*$')
        OR (length(host) <= 253 AND (host = '*'
        OR host ~ '^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$'
        OR host ~ '^\[[0-9a-f:.]{2,45}\]$')));
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" DROP CONSTRAINT "routes_mount_path_form";
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_mount_path_form" CHECK (mount_path = '/' OR (length(mount_path) <= 1024
        AND (mount_path ~ '^(/[A-Za-z0-9_-]+)+$'
        OR (mount_path ~ '^(/([A-Za-z0-9._~!$&''()*+,\u003b=:@-]|%[0-9A-F]{2})+)+$'
        AND mount_path !~ '%(2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE]|00)'
        AND mount_path !~ '/\.{1,2}(/|$)'))));
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" DROP CONSTRAINT "routes_mount_path_reserved";
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_mount_path_reserved" CHECK (NOT starts_with(mount_path || '/', '/_plugboard/'));
--> statement-breakpoint

-- An UPDATE that changes no column of an index writes no index entry when the new row fits into the page of the old one (HOT). So
-- pages keep space for a new version of each row, and no index has updated_at. Lists by updated_at are sorted in the memory of a
-- replica (plugboard/routes/route-search.ts).
ALTER TABLE "plugboard"."routes" SET (fillfactor = 45);
--> statement-breakpoint
DROP INDEX "plugboard"."routes_updated_living";
--> statement-breakpoint

-- count_version of 0001_rules.sql. It compares rows, and converts them only when the table has columns that may change without a
-- trace.
CREATE OR REPLACE FUNCTION plugboard.count_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  quiet text[];
BEGIN
  NEW.version := OLD.version;
  NEW.updated_at := OLD.updated_at;
  IF NEW IS NOT DISTINCT FROM OLD THEN RETURN NEW; END IF;
  IF TG_ARGV[0] <> '' THEN
    quiet := string_to_array(TG_ARGV[0], ',');
    IF to_jsonb(NEW) - quiet = to_jsonb(OLD) - quiet THEN RETURN NEW; END IF;
  END IF;
  NEW.version := OLD.version + 1;
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
--> statement-breakpoint

-- record_changes of 0013_bundle.sql for inserted and updated services and routes, which have no secret and no quiet column. It
-- compares and sorts rows by their id, and converts each row once, when it writes the entry.
CREATE FUNCTION plugboard.record_rows() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  label text := TG_ARGV[0];
  who text := coalesce(nullif(current_setting('plugboard.actor', true), ''), 'sql:' || session_user);
  part_of text := nullif(current_setting('plugboard.bundle', true), '');
  moment timestamptz := clock_timestamp();
  head bigint;
  written bigint;
BEGIN
  -- The trigger before the statement has taken the lock.
  SELECT h.sequence INTO STRICT head FROM plugboard.change_head h;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO plugboard.changes (sequence, at, actor, entity, entity_id, action, before, after, bundle)
      SELECT head + row_number() OVER (ORDER BY n.id), moment, who, label, n.id, 'created', NULL, to_jsonb(n), part_of
      FROM new_rows n;
  ELSE
    -- FULL JOIN: an UPDATE of the id itself is a deletion and a creation. It also excludes a nested loop.
    INSERT INTO plugboard.changes (sequence, at, actor, entity, entity_id, action, before, after, bundle)
      SELECT head + c.place, moment, who, label, coalesce((c.after).id, (c.before).id),
        CASE
          WHEN (c.before).id IS NULL THEN 'created'
          WHEN (c.after).id IS NULL AND (c.before).deleted_at IS NOT NULL THEN 'purged'
          WHEN (c.after).id IS NULL THEN 'deleted'
          WHEN (c.before).deleted_at IS NULL AND (c.after).deleted_at IS NOT NULL THEN 'deleted'
          WHEN (c.before).deleted_at IS NOT NULL AND (c.after).deleted_at IS NULL THEN 'restored'
          ELSE 'updated'
        END,
        to_jsonb(c.before), to_jsonb(c.after), part_of
      FROM (
        SELECT row_number() OVER (ORDER BY coalesce(n.id, o.id)) AS place, o AS before, n AS after
          FROM old_rows o FULL JOIN new_rows n ON n.id = o.id
          WHERE o IS DISTINCT FROM n OFFSET 0
      ) c;
  END IF;
  GET DIAGNOSTICS written = ROW_COUNT;
  IF written = 0 THEN RETURN NULL; END IF;
  UPDATE plugboard.change_head h
    SET sequence = head + written, change_id = (SELECT c.id FROM plugboard.changes c WHERE c.sequence = head + written)
    WHERE h.sequence = head;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a concurrent transaction wrote the log of changes' USING ERRCODE = 'serialization_failure';
  END IF;
  PERFORM pg_notify('plugboard_changes', (head + written)::text);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER routes_inserted AFTER INSERT ON plugboard.routes REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_rows('route');
--> statement-breakpoint
CREATE OR REPLACE TRIGGER routes_updated AFTER UPDATE ON plugboard.routes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_rows('route');
--> statement-breakpoint
CREATE OR REPLACE TRIGGER services_inserted AFTER INSERT ON plugboard.services REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_rows('service');
--> statement-breakpoint
CREATE OR REPLACE TRIGGER services_updated AFTER UPDATE ON plugboard.services REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_rows('service');
--> statement-breakpoint

-- check_route of 0005_route_rules.sql. "(deleted_at IS NULL) IS TRUE" keeps the planner away from indexes of living routes. When
-- the newest statistics were made while few routes were living, it would read one of these indexes from its start to its end for
-- each row, whose time grows with the square of the rows of a statement. The index routes_mount has all rows.
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

  -- '0' is the character after '/': the texts between the two start with the mount and a slash.
  SELECT r.id INTO other FROM plugboard.routes r
    WHERE (r.deleted_at IS NULL) IS TRUE AND r.host = NEW.host AND r.id <> NEW.id
      AND (r.mount_path = ANY (above) OR (r.mount_path > beneath || '/' AND r.mount_path < beneath || '0'))
    ORDER BY r.mount_path LIMIT 1;
  IF FOUND THEN PERFORM plugboard.refuse_mount(NEW.host, NEW.mount_path, other.id); END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint

-- Raises the error for a new mount that conflicts with another route.
CREATE FUNCTION plugboard.refuse_mount(new_host text, new_path text, other_id uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  other record;
BEGIN
  SELECT r.id, r.host, r.mount_path, s.name AS service INTO other
    FROM plugboard.routes r LEFT JOIN plugboard.services s ON s.id = r.service_id WHERE r.id = other_id;
  RAISE EXCEPTION '%', CASE
      WHEN other.mount_path = new_path THEN format('%s is mounted already.', plugboard.mount_text(new_host, new_path))
      ELSE format('%s lies %s %s.', plugboard.mount_text(new_host, new_path),
        CASE WHEN length(other.mount_path) < length(new_path) THEN 'beneath' ELSE 'above' END,
        plugboard.mount_text(other.host, other.mount_path))
    END
    USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'routes_terminal_mounts',
          TABLE = 'routes', COLUMN = 'mount_path',
          DETAIL = format('Route %s mounts %s%s.', other.id,
            plugboard.mount_text(other.host, other.mount_path),
            CASE WHEN other.service IS NULL THEN '' ELSE format(' for service "%s"', other.service) END);
END $$;
--> statement-breakpoint

-- check_routes of 0013_bundle.sql. OFFSET 0 keeps each search by host and by id as one search of an index.
CREATE OR REPLACE FUNCTION plugboard.check_routes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  deleted text;
  conflict record;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    -- Rows that keep mount and service keep the rules.
    PERFORM FROM new_rows n FULL JOIN old_rows o ON o.id = n.id
      WHERE n.deleted_at IS NULL AND (o.deleted_at IS NOT NULL
        OR (n.host, n.mount_path, n.service_id) IS DISTINCT FROM (o.host, o.mount_path, o.service_id)) LIMIT 1;
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;

  SELECT s.name INTO deleted
    FROM (SELECT DISTINCT n.service_id FROM new_rows n WHERE n.deleted_at IS NULL) n
    CROSS JOIN LATERAL (
      SELECT s.name FROM plugboard.services s WHERE s.id = n.service_id AND s.deleted_at IS NOT NULL OFFSET 0) s
    LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Service "%" has been deleted.', deleted
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'routes_service_living',
            TABLE = 'routes', COLUMN = 'service_id';
  END IF;

  WITH sorted AS (
    SELECT r.id, lag(r.id) OVER (PARTITION BY r.host ORDER BY r.prefix COLLATE "C") AS above,
        r.prefix, lag(r.prefix) OVER (PARTITION BY r.host ORDER BY r.prefix COLLATE "C") AS above_prefix
      FROM (SELECT DISTINCT n.host FROM new_rows n WHERE n.deleted_at IS NULL) n
      CROSS JOIN LATERAL (
        SELECT r.id, r.host, CASE r.mount_path WHEN '/' THEN '/' ELSE r.mount_path || '/' END AS prefix
          FROM plugboard.routes r WHERE (r.deleted_at IS NULL) IS TRUE AND r.host = n.host OFFSET 0) r
  )
  SELECT n.host, n.mount_path, CASE WHEN n.id = pair.id THEN pair.above ELSE pair.id END AS other_id INTO conflict
    FROM (SELECT s.id, s.above FROM sorted s WHERE starts_with(s.prefix, s.above_prefix) LIMIT 1) pair
    JOIN new_rows n ON n.id IN (pair.id, pair.above)
    ORDER BY n.id = pair.id DESC LIMIT 1;
  IF FOUND THEN PERFORM plugboard.refuse_mount(conflict.host, conflict.mount_path, conflict.other_id); END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER routes_updated_check AFTER UPDATE ON plugboard.routes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT WHEN (coalesce(current_setting('plugboard.bundle', true), '') <> '')
  EXECUTE FUNCTION plugboard.check_routes();
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796500000000, '0016_bundle_speed', '0.1.0');
