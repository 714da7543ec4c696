-- What holds for every writer, psql included: one order of changes, an audit log that cannot be forgotten,
-- terminal mounts, services that outlive their routes, versions that count.
--
-- One row, change_head, is the lock. Each statement that writes takes it first and keeps it until its transaction
-- ends, so writers go one after the other. READ COMMITTED then sees all that came before. In REPEATABLE READ and
-- SERIALIZABLE a transaction whose snapshot is older than the newest change fails with 40001 at that row, before
-- it can act on what it does not see.

INSERT INTO plugboard.change_head (sequence) VALUES (0);
--> statement-breakpoint
CREATE FUNCTION plugboard.lock_changes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM 1 FROM plugboard.change_head FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'plugboard.change_head has lost its row'; END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION plugboard.mount_text(host text, mount_path text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE mount_path WHEN '/' THEN host ELSE host || mount_path END $$;
--> statement-breakpoint

-- Arguments: columns that may change without a trace (when something was last seen).
CREATE FUNCTION plugboard.count_version() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  quiet text[] := string_to_array(TG_ARGV[0], ',') || '{version,updated_at}';
BEGIN
  IF to_jsonb(NEW) - quiet = to_jsonb(OLD) - quiet THEN
    NEW.version := OLD.version;
    NEW.updated_at := OLD.updated_at;
  ELSE
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint

-- A living route needs a living service, and a mount that no other one lies on, above or beneath.
CREATE FUNCTION plugboard.check_route() RETURNS trigger
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
    FROM plugboard.routes r JOIN plugboard.services s ON s.id = r.service_id
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
            DETAIL = format('Route %s mounts %s for service "%s".', other.id,
              plugboard.mount_text(other.host, other.mount_path), other.service);
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE FUNCTION plugboard.check_service() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  route record;
BEGIN
  IF NEW.deleted_at IS NULL THEN RETURN NEW; END IF;
  SELECT r.id, r.host, r.mount_path, count(*) OVER () AS routes INTO route FROM plugboard.routes r
    WHERE r.deleted_at IS NULL AND r.service_id = NEW.id ORDER BY r.host, r.mount_path LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Service "%" still has % route(s).', NEW.name, route.routes
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'services_without_routes',
            TABLE = 'services', COLUMN = 'deleted_at',
            DETAIL = format('Route %s mounts %s.', route.id,
              plugboard.mount_text(route.host, route.mount_path));
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint

-- Arguments: entity, its key column, columns that are secret, columns that may change without a trace.
-- Once per statement, so that writing many rows costs one new version of the head.
CREATE FUNCTION plugboard.record_changes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  key text := TG_ARGV[1];
  secret text[] := string_to_array(TG_ARGV[2], ',');
  quiet text[] := string_to_array(TG_ARGV[3], ',');
  who text := coalesce(nullif(current_setting('plugboard.actor', true), ''), 'sql:' || session_user);
  moment timestamptz := clock_timestamp();
  befores jsonb[];
  afters jsonb[];
  head bigint;
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(NULL::jsonb), array_agg(to_jsonb(n) - secret) INTO befores, afters FROM new_rows n;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(to_jsonb(o) - secret), array_agg(NULL::jsonb) INTO befores, afters FROM old_rows o;
  ELSE
    SELECT array_agg(to_jsonb(o) - secret), array_agg(to_jsonb(n) - secret) INTO befores, afters
      FROM old_rows o FULL JOIN new_rows n ON to_jsonb(o) ->> key = to_jsonb(n) ->> key
      WHERE to_jsonb(o) - quiet IS DISTINCT FROM to_jsonb(n) - quiet;
  END IF;
  IF befores IS NULL THEN RETURN NULL; END IF;

  SELECT h.sequence INTO STRICT head FROM plugboard.change_head h FOR UPDATE;
  INSERT INTO plugboard.changes (sequence, at, actor, entity, entity_id, action, before, after)
    SELECT head + row_number() OVER (ORDER BY coalesce(c.after, c.before) ->> key),
      moment, who, TG_ARGV[0], coalesce(c.after, c.before) ->> key,
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
      c.before, c.after
    FROM unnest(befores, afters) AS c (before, after);
  head := head + cardinality(befores);
  UPDATE plugboard.change_head
    SET sequence = head, change_id = (SELECT c.id FROM plugboard.changes c WHERE c.sequence = head);
  PERFORM pg_notify('plugboard_changes', head::text);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION plugboard.refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of plugboard.% is not possible: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
    USING ERRCODE = 'object_not_in_prerequisite_state';
END $$;
--> statement-breakpoint
CREATE FUNCTION plugboard.keep_newest_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.sequence = (SELECT h.sequence FROM plugboard.change_head h) THEN RETURN NULL; END IF;
  RETURN OLD;
END $$;
--> statement-breakpoint

CREATE TRIGGER routes_check BEFORE INSERT OR UPDATE OF host, mount_path, service_id, deleted_at
  ON plugboard.routes FOR EACH ROW EXECUTE FUNCTION plugboard.check_route();
--> statement-breakpoint
CREATE TRIGGER services_check BEFORE UPDATE OF deleted_at
  ON plugboard.services FOR EACH ROW EXECUTE FUNCTION plugboard.check_service();
--> statement-breakpoint

DO $$
DECLARE
  entity record;
BEGIN
  FOR entity IN SELECT * FROM (VALUES
    ('services', 'service', 'id', '', ''),
    ('routes', 'route', 'id', '', ''),
    ('tokens', 'token', 'id', '', 'last_seen_at,expires_at'),
    ('signing_keys', 'signing_key', 'kid', 'private_jwk', ''),
    ('admin_keys', 'admin_key', 'id', 'hash', 'last_used_at')
  ) AS entities (name, label, key, secret, quiet) LOOP
    -- A statement that sets quiet columns alone needs no place in the order of changes, and takes no lock.
    EXECUTE format(
      'CREATE TRIGGER %1$s_lock BEFORE INSERT OR DELETE OR UPDATE OF %2$s ON plugboard.%1$I
         FOR EACH STATEMENT EXECUTE FUNCTION plugboard.lock_changes()', entity.name,
      (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
         WHERE attrelid = ('plugboard.' || entity.name)::regclass AND attnum > 0 AND NOT attisdropped
           AND attname <> ALL (string_to_array(entity.quiet, ','))));
    EXECUTE format(
      'CREATE TRIGGER %1$s_version BEFORE UPDATE ON plugboard.%1$I
         FOR EACH ROW EXECUTE FUNCTION plugboard.count_version(%2$L)', entity.name, entity.quiet);
    EXECUTE format(
      'CREATE TRIGGER %1$s_inserted AFTER INSERT ON plugboard.%1$I REFERENCING NEW TABLE AS new_rows
         FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_changes(%2$L, %3$L, %4$L, %5$L)',
      entity.name, entity.label, entity.key, entity.secret, entity.quiet);
    EXECUTE format(
      'CREATE TRIGGER %1$s_updated AFTER UPDATE ON plugboard.%1$I
         REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
         FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_changes(%2$L, %3$L, %4$L, %5$L)',
      entity.name, entity.label, entity.key, entity.secret, entity.quiet);
    EXECUTE format(
      'CREATE TRIGGER %1$s_deleted AFTER DELETE ON plugboard.%1$I REFERENCING OLD TABLE AS old_rows
         FOR EACH STATEMENT EXECUTE FUNCTION plugboard.record_changes(%2$L, %3$L, %4$L, %5$L)',
      entity.name, entity.label, entity.key, entity.secret, entity.quiet);
    EXECUTE format(
      'CREATE TRIGGER %1$s_truncated BEFORE TRUNCATE ON plugboard.%1$I
         FOR EACH STATEMENT EXECUTE FUNCTION plugboard.refuse(%2$L)',
      entity.name, 'the log of changes would not know; use DELETE.');
  END LOOP;
END $$;
--> statement-breakpoint

-- The log: appended to, pruned from its old end, never rewritten.
CREATE TRIGGER changes_written BEFORE UPDATE OR TRUNCATE ON plugboard.changes
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.refuse('the log of changes is not rewritten.');
--> statement-breakpoint
CREATE TRIGGER changes_newest BEFORE DELETE ON plugboard.changes
  FOR EACH ROW EXECUTE FUNCTION plugboard.keep_newest_change();
--> statement-breakpoint
CREATE TRIGGER change_head_kept BEFORE DELETE OR TRUNCATE ON plugboard.change_head
  FOR EACH STATEMENT EXECUTE FUNCTION plugboard.refuse('replicas find their place by it.');
