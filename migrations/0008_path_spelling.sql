-- One path has one spelling (RFC 3986, section 6.2.2): hexadecimal digits of an escape are upper case, and unreserved
-- characters (A-Z a-z 0-9 - . _ ~) have no escape. Requests are matched in this spelling, so mounts are stored in it.

CREATE FUNCTION plugboard.path_spelling(path text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT string_agg(CASE
      WHEN part[1] !~ '^%' THEN part[1]
      WHEN upper(part[1]) ~ '^%(2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])$'
        THEN chr(get_byte(decode(substr(part[1], 2), 'hex'), 0))
      ELSE upper(part[1])
    END, '' ORDER BY place)
  FROM regexp_matches(path, '%[0-9A-Fa-f]{2}|[^%]+', 'g') WITH ORDINALITY AS parts (part, place)
$$;
--> statement-breakpoint

-- Routes that mount one path in two spellings, or a reserved path in a hidden one, are named, and nothing is changed.
DO $$
DECLARE
  problems text;
BEGIN
  WITH living AS MATERIALIZED (
    SELECT id, host, mount_path, plugboard.path_spelling(mount_path) AS spelling
      FROM plugboard.routes WHERE deleted_at IS NULL
  ), changed AS (
    SELECT * FROM living WHERE spelling <> mount_path
  ), found AS (
    SELECT DISTINCT CASE WHEN one.mount_path < other.mount_path
        THEN format('%s (route %s) and %s (route %s)', plugboard.mount_text(one.host, one.mount_path), one.id,
          plugboard.mount_text(other.host, other.mount_path), other.id)
        ELSE format('%s (route %s) and %s (route %s)', plugboard.mount_text(other.host, other.mount_path), other.id,
          plugboard.mount_text(one.host, one.mount_path), one.id)
      END AS problem
      FROM changed one JOIN living other ON other.host = one.host AND other.id <> one.id
        AND (other.spelling = one.spelling OR starts_with(other.spelling, one.spelling || '/')
          OR starts_with(one.spelling, other.spelling || '/'))
    UNION ALL
    SELECT format('%s (route %s), which is the reserved path /_plugboard', plugboard.mount_text(host, mount_path), id)
      FROM changed WHERE (spelling || '/') ~ '^/_plugboard/'
  ), numbered AS (
    SELECT problem, row_number() OVER (ORDER BY problem) AS place, count(*) OVER () AS total FROM found
  )
  SELECT string_agg(problem, '; ' ORDER BY place)
      || CASE WHEN max(total) > 20 THEN format('; and %s more', max(total) - 20) ELSE '' END
    INTO problems FROM numbered WHERE place <= 20;
  IF problems IS NOT NULL THEN
    RAISE EXCEPTION 'These routes mount the same path in different spellings (%%c3 is %%C3, %%61 is a): %. Delete one of each pair, through the version that runs now or with UPDATE plugboard.routes SET deleted_at = now() WHERE id = ''…'', and migrate again.', problems
      USING ERRCODE = 'exclusion_violation';
  END IF;
END $$;
--> statement-breakpoint

-- A deleted route keeps its spelling out of the way: one under a reserved path could never be restored.
DELETE FROM plugboard.routes
  WHERE deleted_at IS NOT NULL AND (plugboard.path_spelling(mount_path) || '/') ~ '^/_plugboard/';
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" DROP CONSTRAINT "routes_mount_path_form";
--> statement-breakpoint
DO $$
BEGIN
  PERFORM set_config('plugboard.actor', 'system', true);
  UPDATE plugboard.routes SET mount_path = plugboard.path_spelling(mount_path)
    WHERE mount_path <> plugboard.path_spelling(mount_path);
  PERFORM set_config('plugboard.actor', '', true);
END $$;
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_mount_path_form" CHECK (mount_path = '/' OR (length(mount_path) <= 1024
        AND mount_path ~ '^(/([A-Za-z0-9._~!$&''()*+,\u003b=:@-]|%[0-9A-F]{2})+)+$'
        AND mount_path !~ '%(2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE]|00)'
        AND mount_path !~ '/\.{1,2}(/|$)'));
--> statement-breakpoint
DROP FUNCTION plugboard.path_spelling(text);
