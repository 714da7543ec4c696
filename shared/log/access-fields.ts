// The table of the fields of an access line: the meaning of each, and its name in the format `ecs`. The page of logs
// (docs/operating/logs.md) is generated from it. A field without a name in ECS is under `plugboard`.

import type { AccessFields } from './fields.ts'

interface AccessFieldRow {
  /** The name in the Elastic Common Schema. */
  readonly ecs: string
  readonly meaning: string
}

const row = (ecs: string, meaning: string): AccessFieldRow => ({ ecs, meaning })

export const ACCESS_FIELDS: Readonly<Record<keyof AccessFields, AccessFieldRow>> = {
  requestId: row('http.request.id', 'The id of the request, as in `X-Request-ID`.'),
  method: row('http.request.method', 'The method; empty when the head could not be read.'),
  host: row('url.domain', 'The host, without a port.'),
  path: row('url.path', 'The path without its query. Characters outside of printable ASCII are escaped.'),
  status: row(
    'http.response.status_code',
    'The status code that the client got. `499`: the client closed the connection before a response began.',
  ),
  durationMs: row(
    'event.duration',
    'Time from the complete head of the request to the end of the response. In `ecs`: in nanoseconds.',
  ),
  bytesIn: row('http.request.body.bytes', 'Bytes of the request body.'),
  bytesOut: row('http.response.body.bytes', 'Bytes of the response body.'),
  remoteAddress: row('client.address', 'The address of the client. A trusted proxy may report it.'),
  protocol: row(
    'http.version',
    'The protocol of the client: `http/1.0`, `http/1.1` or `h2`. In `ecs`: its version.',
  ),
  route: row('plugboard.route', 'The id of the route.'),
  mount: row('plugboard.mount', 'The host and the path of the route.'),
  service: row('plugboard.service', 'The service of the route.'),
  telephoneId: row('plugboard.telephone', 'The Telephone that received the last attempt.'),
  peer: row(
    'plugboard.peer',
    'The replica that holds the tunnel of that Telephone, if it is another one than the one that writes the line.',
  ),
  subset: row('plugboard.subset', 'The subset of the service to which that Telephone belongs.'),
  headMs: row(
    'plugboard.head_ms',
    'Time from the last attempt, or from the end of the request body, to the head of the response.',
  ),
  backendMs: row(
    'plugboard.backend_ms',
    'The part of `headMs` that the backend took, as its Telephone measured it. The rest is the tunnel.',
  ),
  retries: row('plugboard.retries', 'Attempts after the first one. Absent: there was one attempt, or none.'),
  limit: row('plugboard.limit', 'The limit that rejected the request, or would reject it with `enforce`.'),
  code: row('error.code', 'The code of a response of Plugboard itself.'),
  cause: row('plugboard.cause', 'The cause behind `code`, for a fault behind Plugboard.'),
  detail: row('error.message', 'More about `code` or `cause`.'),
  traceId: row('trace.id', 'The trace of the request (W3C Trace Context).'),
  replayOf: row(
    'plugboard.replay_of',
    'The exchange of the inspector that this request repeats. Absent: a client sent the request.',
  ),
  userAgent: row('user_agent.original', '`User-Agent` of the request. Only with `accessLogUserAgent`.'),
  sampleRate: row(
    'plugboard.sample_rate',
    'The part of such lines that is written (`accessLogSample`): this line stands for 1 / `sampleRate` requests. Absent: each one is written.',
  ),
}
