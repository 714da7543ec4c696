// The counters of the public ports: one row for each, with its description in the admin API. proxy/ and tls/ derive the
// numbers from these tables, and the admin API derives its schema, so a new counter is one row and the place that counts.

/** Counted by the proxy since the start. */
export const TRAFFIC_COUNTERS = {
  connections: 'All connections of clients, including refused connections.',
  connectionsRefused: 'Connections over maxConnections or maxConnectionsPerAddress.',
  http1Connections: 'Connections that use HTTP/1.1.',
  http2Connections: 'Connections that use HTTP/2.',
  requests: 'All requests, including refused requests.',
  upgrades: 'Upgrades that succeeded.',
  retries: 'Attempts on other lines after the first attempt.',
  retryBudgetExhausted:
    'Failed attempts that were not retried, because the retry budget of the service was used up.',
  tryTimeouts: 'Attempts that ended after tryTimeoutMs of the service.',
  queued: 'Requests that waited in the queue of their service, because all processes were full.',
  queueFull: 'Requests that found no place in the queue of their service.',
  queueTimeouts: 'Requests whose time in the queue ended before a process had room.',
  held: 'Requests that waited for a telephone (holdMs).',
  holdTimeouts: 'Requests for which no telephone connected in holdMs.',
  breakersOpened: 'Times at which a circuit breaker of a service opened.',
  mirrored: 'Copies of requests that were sent to the subset of `mirror`.',
  mirrorFailures: 'Copies without a complete response in time, or with a status of 500 or more.',
  mirrorsSkipped:
    'Copies that were not sent: over the bound, with a body that is too long or incomplete, or without a process.',
  clientAborts: 'Clients that closed the connection before their response was complete.',
  truncated: 'Responses that ended after their head and before their end.',
} as const
export type TrafficCounters = Counters<typeof TRAFFIC_COUNTERS>

/** Counted by the TLS listener since the start. */
export const TLS_COUNTERS = {
  handshakes: 'Complete handshakes.',
  resumed: 'Complete handshakes that resumed a session.',
  handshakesFailed: 'Handshakes that were aborted, were too slow, or had no common version or cipher.',
  handshakesRefused: 'Handshakes over the limit of connections or of concurrent handshakes.',
} as const
export type TlsCounters = Counters<typeof TLS_COUNTERS>

type Counters<Table> = { -readonly [Name in keyof Table]: number }

/** Returns an object with each counter of the table at 0. */
export function createCounters<Table extends Readonly<Record<string, string>>>(
  table: Table,
): Counters<Table> {
  return Object.fromEntries(Object.keys(table).map(name => [name, 0])) as Counters<Table>
}
