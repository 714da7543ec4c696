// What the public ports have seen since the start, as the admin API shows it.

import { z } from '@hono/zod-openapi'
import type { ErrorCode } from '@vera-stack/shared/errors.ts'

/** Numbers that only grow, but for the two that say `open` and `inFlight`. */
export interface TrafficStatus {
  readonly openConnections: number
  /** Exchanges and upgraded connections. */
  readonly inFlight: number
  readonly connections: number
  readonly connectionsRefused: number
  readonly http2Connections: number
  readonly requests: number
  readonly upgrades: number
  readonly retries: number
  readonly clientAborts: number
  readonly truncated: number
  /** Answers of Plugboard's own, by code. */
  readonly problems: Readonly<Partial<Record<ErrorCode, number>>>
  /** Undefined: there is no HTTPS. */
  readonly tls:
    | {
        readonly handshakes: number
        readonly resumed: number
        readonly handshakesFailed: number
        readonly handshakesRefused: number
      }
    | undefined
}

const count = (description: string) => z.int().openapi({ description })

export const trafficSchema = z
  .strictObject({
    openConnections: count('Of clients, now.'),
    inFlight: count('Requests, WebSockets and other upgraded connections, now.'),
    connections: count('Since the start, like all that follows.'),
    connectionsRefused: count('Over maxConnections or maxConnectionsPerAddress.'),
    http2Connections: count('Of these, those that speak HTTP/2.'),
    requests: count('Of any kind, also those that were refused.'),
    upgrades: count('That were granted.'),
    retries: count('Attempts on other lines after the first.'),
    clientAborts: count('Clients that went away before their answer was complete.'),
    truncated: count('Answers that broke off behind their head.'),
    problems: z.record(z.string(), z.int()).openapi({ description: 'Answers of Plugboard itself, by code.' }),
    tls: z
      .strictObject({
        handshakes: count('Complete ones.'),
        resumed: count('Of these, those that resumed a session.'),
        handshakesFailed: count('Broken off, too slow, or without anything in common.'),
        handshakesRefused: count('Over the limit of connections or of handshakes at once.'),
      })
      .nullable()
      .openapi({ description: 'null: there is no HTTPS.' }),
  })
  .openapi('Traffic')

/** Field by field: what is counted one day is not shown until the schema says so. */
export function trafficBody(traffic: TrafficStatus): z.infer<typeof trafficSchema> {
  const { tls } = traffic
  return {
    openConnections: traffic.openConnections,
    inFlight: traffic.inFlight,
    connections: traffic.connections,
    connectionsRefused: traffic.connectionsRefused,
    http2Connections: traffic.http2Connections,
    requests: traffic.requests,
    upgrades: traffic.upgrades,
    retries: traffic.retries,
    clientAborts: traffic.clientAborts,
    truncated: traffic.truncated,
    problems: { ...traffic.problems },
    tls:
      tls === undefined
        ? null
        : {
            handshakes: tls.handshakes,
            resumed: tls.resumed,
            handshakesFailed: tls.handshakesFailed,
            handshakesRefused: tls.handshakesRefused,
          },
  }
}
