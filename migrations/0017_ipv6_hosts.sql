-- An IPv6 address as the host of a mount has one spelling (RFC 5952): [::1], not [0:0:0:0:0:0:0:1]. Requests are matched in this spelling,
-- so mounts are stored in it. A host that is not an address stays: no request has it.

DO $$
DECLARE
  route record;
  spelling text;
BEGIN
  PERFORM set_config('plugboard.actor', 'system', true);
  FOR route IN SELECT r.id, r.host, r.mount_path FROM plugboard.routes r WHERE r.host LIKE '[%' ORDER BY r.id LOOP
    BEGIN
      spelling := '[' || host(trim(BOTH '[]' FROM route.host)::inet) || ']';
      IF spelling <> route.host THEN
        UPDATE plugboard.routes SET host = spelling WHERE id = route.id;
      END IF;
    EXCEPTION
      WHEN invalid_text_representation THEN NULL;
      WHEN unique_violation OR exclusion_violation THEN
        RAISE EXCEPTION 'Route % (%) and another route have one IPv6 address in two spellings: %. Delete one of them, through the version that runs now or with UPDATE plugboard.routes SET deleted_at = now() WHERE id = ''…'', and migrate again.',
          plugboard.mount_text(route.host, route.mount_path), route.id, SQLERRM
          USING ERRCODE = 'exclusion_violation';
    END;
  END LOOP;
  PERFORM set_config('plugboard.actor', '', true);
END $$;
--> statement-breakpoint
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796600000000, '0017_ipv6_hosts', '0.1.0');
