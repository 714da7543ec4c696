-- The route option "answer" is renamed to "respond". Plugboard without this migration does not read "respond", so stop all older
-- replicas before this migration. Each of them refuses to start after it.
--
-- "requires" closes the renamed routes on an older replica that still runs (plugboard/routes/route-options.ts): it responds with
-- 503 instead of forwarding the request to the service. A malformed "requires" closes the route on each version, and stays.

ALTER TABLE "plugboard"."routes" DROP CONSTRAINT "routes_service_or_answer";
--> statement-breakpoint
DO $$
BEGIN
  PERFORM set_config('plugboard.actor', 'system', true);
  UPDATE plugboard.routes
    SET options = (options - 'answer') || jsonb_build_object(
      'respond', options -> 'answer',
      'requires', CASE
        WHEN NOT options ? 'requires' THEN '{"respond": "0.2.0"}'::jsonb
        WHEN jsonb_typeof(options -> 'requires') = 'object' THEN (options -> 'requires') || '{"respond": "0.2.0"}'::jsonb
        ELSE options -> 'requires'
      END)
    WHERE options ? 'answer';
  PERFORM set_config('plugboard.actor', '', true);
END $$;
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_service_or_response" CHECK (service_id IS NOT NULL OR options ? 'redirect' OR options ? 'respond');
--> statement-breakpoint
ALTER TABLE "plugboard"."routes" ADD CONSTRAINT "routes_options_renamed" CHECK (NOT options ? 'answer');
--> statement-breakpoint

-- Development versions without this migration name themselves 0.1.0. The oldest version is above theirs, so they refuse to start.
INSERT INTO plugboard.compatibility (migration, name, oldest_version) VALUES (1796000500000, '0011_respond', '0.2.0');
