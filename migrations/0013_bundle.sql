-- A bundle writes many rows in one transaction, under the lock of all writers. It sets `plugboard.bundle` to its id for that
-- transaction. Then a check of whole statements replaces the check of single routes, which takes most of the time of a large
-- statement. Both checks enforce the same rules, and one of them runs for each writer, psql included.

-- The bundle that made the change. NULL: a single write.
ALTER TABLE "plugboard"."changes" ADD COLUMN "bundle" text;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER routes_check BEFORE INSERT OR UPDATE OF host, mount_path, service_id, deleted_at
  ON plugboard.routes FOR EACH ROW
  WHEN (coalesce(current_setting('plugboard.bundle', true), '') = '')
  EXECUTE FUNCTION plugboard.check_route();
--> statement-breakpoint

-- The rules of check_route for all rows of one statement. The text of a mount with a slash at its end is a prefix of each text
-- beneath it. In the order of these texts, a mount above others comes directly before one of them, so neighbours are compared.
CREATE FUNCTION plugboard.check_routes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  deleted text;
  pair record;
BEGIN
  SELECT s.name INTO deleted FROM new_rows n JOIN plugboard.services s ON s.id = n.service_id
    WHERE n.deleted_at IS NULL AND s.deleted_at IS NOT NULL LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Service "%" has been deleted.', deleted
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'routes_service_living',
            TABLE = 'routes', COLUMN = 'service_id';
  END IF;

  WITH sorted AS (
    SELECT r.id, lag(r.id) OVER (PARTITION BY r.host ORDER BY p.prefix COLLATE "C") AS above,
        p.prefix, lag(p.prefix) OVER (PARTITION BY r.host ORDER BY p.prefix COLLATE "C") AS above_prefix
      FROM plugboard.routes r
      CROSS JOIN LATERAL (SELECT CASE r.mount_path WHEN '/' THEN '/' ELSE r.mount_path || '/' END AS prefix) p
      WHERE r.deleted_at IS NULL AND r.host IN (SELECT n.host FROM new_rows n WHERE n.deleted_at IS NULL)
  )
  SELECT CASE WHEN EXISTS (SELECT FROM new_rows n WHERE n.id = s.id) THEN s.id ELSE s.above END AS new_id,
      CASE WHEN EXISTS (SELECT FROM new_rows n WHERE n.id = s.id) THEN s.above ELSE s.id END AS other_id
    INTO pair FROM sorted s WHERE starts_with(s.prefix, s.above_prefix) LIMIT 1;
  IF FOUND THEN
    DECLARE
      new_route record;
      other record;
    BEGIN
      SELECT r.host, r.mount_path INTO new_route FROM plugboard.routes r WHERE r.id = pair.new_id;
      SELECT r.id, r.host, r.mount_path, s.name AS service INTO other
        FROM plugboard.routes r LEFT JOIN plugboard.services s ON s.id = r.service_id WHERE r.id = pair.other_id;
      RAISE EXCEPTION '%', format('%s lies %s %s.', plugboard.mount_text(new_route.host, new_route.mount_path),
          CASE WHEN length(other.mount_path) < length(new_route.mount_path) THEN 'beneath' ELSE 'above' END,
          plugboard.mount_text(other.host, other.mount_path))
        USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'routes_terminal_mounts',
              TABLE = 'routes', COLUMN = 'mount_path',
              DETAIL = format('Route %s mounts %s%s.', other.id,
                plugboard.mount_text(other.host, other.mount_path),
                CASE WHEN other.service IS NULL THEN '' ELSE format(' for service "%s"', other.service) END);
    END;
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER routes_inserted_check AFTER INSERT ON plugboard.routes REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT WHEN (coalesce(current_setting('plugboard.bundle', true), '') <> '')
  EXECUTE FUNCTION plugboard.check_routes();
--> statement-breakpoint
CREATE TRIGGER routes_updated_check AFTER UPDATE ON plugboard.routes REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT WHEN (coalesce(current_setting('plugboard.bundle', true), '') <> '')
  EXECUTE FUNCTION plugboard.check_routes();
--> statement-breakpoint

-- record_changes of 0001_rules.sql: it also writes the bundle, and converts each row once.
CREATE OR REPLACE FUNCTION plugboard.record_changes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  label text := TG_ARGV[0];
  key text := TG_ARGV[1];
  secret text[] := string_to_array(TG_ARGV[2], ',');
  quiet text[] := string_to_array(TG_ARGV[3], ',');
  who text := coalesce(nullif(current_setting('plugboard.actor', true), ''), 'sql:' || session_user);
  part_of text := nullif(current_setting('plugboard.bundle', true), '');
  moment timestamptz := clock_timestamp();
  head bigint;
  written bigint;
BEGIN
  -- The trigger before the statement has taken the lock, unless the statement writes no entry.
  SELECT h.sequence INTO STRICT head FROM plugboard.change_head h;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO plugboard.changes (sequence, at, actor, entity, entity_id, action, before, after, bundle)
      SELECT head + row_number() OVER (ORDER BY n.data ->> key), moment, who, label, n.data ->> key, 'created', NULL, n.data, part_of
      FROM (SELECT to_jsonb(r) - secret AS data FROM new_rows r) n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO plugboard.changes (sequence, at, actor, entity, entity_id, action, before, after, bundle)
      SELECT head + row_number() OVER (ORDER BY o.data ->> key), moment, who, label, o.data ->> key,
        CASE WHEN o.data ->> 'deleted_at' IS NOT NULL THEN 'purged' ELSE 'deleted' END, o.data, NULL, part_of
      FROM (SELECT to_jsonb(r) - secret AS data FROM old_rows r) o;
  ELSE
    INSERT INTO plugboard.changes (sequence, at, actor, entity, entity_id, action, before, after, bundle)
      SELECT head + row_number() OVER (ORDER BY coalesce(c.after, c.before) ->> key),
        moment, who, label, coalesce(c.after, c.before) ->> key,
        CASE
          WHEN c.before IS NULL THEN 'created'
          WHEN c.after IS NULL AND c.before ->> 'deleted_at' IS NOT NULL THEN 'purged'
          WHEN c.after IS NULL THEN 'deleted'
          WHEN c.before ->> 'deleted_at' IS NULL AND c.after ->> 'deleted_at' IS NOT NULL THEN 'deleted'
          WHEN c.before ->> 'deleted_at' IS NOT NULL AND c.after ->> 'deleted_at' IS NULL THEN 'restored'
          WHEN c.before ->> 'revoked_at' IS NULL AND c.after ->> 'revoked_at' IS NOT NULL THEN 'revoked'
          WHEN c.before ->> 'retired_at' IS NULL AND c.after ->> 'retired_at' IS NOT NULL THEN 'retired'
          ELSE 'updated'
        END,
        c.before, c.after, part_of
      FROM (
        SELECT o.data AS before, n.data AS after
          FROM (SELECT to_jsonb(r) - secret AS data FROM old_rows r OFFSET 0) o
          FULL JOIN (SELECT to_jsonb(r) - secret AS data FROM new_rows r OFFSET 0) n ON o.data ->> key = n.data ->> key
          WHERE o.data - quiet IS DISTINCT FROM n.data - quiet
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
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796200000000, '0013_bundle', '0.1.0');
