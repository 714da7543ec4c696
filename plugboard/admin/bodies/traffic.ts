// The counters of the public ports since the start (common/traffic-counters.ts), and four gauges. replica/ports/public-ports.ts
// creates this body.

import { z } from '@hono/zod-openapi'
import { TLS_COUNTERS, TRAFFIC_COUNTERS } from '../../common/traffic-counters.ts'

const count = (description: string) => z.int().openapi({ description })

/** Returns the schema of a table of counters. */
export function countersOf<Table extends Readonly<Record<string, string>>>(table: Table) {
  const fields = Object.entries(table).map(([name, description]) => [name, count(description)])
  return Object.fromEntries(fields) as { [Name in keyof Table]: z.ZodInt }
}

export const trafficSchema = z
  .strictObject({
    openConnections: count('Connections of clients that are open now.'),
    inFlight: count('Requests, WebSockets and other upgraded connections that are in progress now.'),
    openBreakers: count('Services whose circuit breaker is open or half-open now.'),
    waiting: count('Requests that wait now, for a process with room (queue) or for a telephone (holdMs).'),
    ...countersOf(TRAFFIC_COUNTERS),
    problems: z
      .record(z.string(), z.int())
      .openapi({ description: 'Error responses of Plugboard itself, by code.' }),
    tls: z
      .strictObject(countersOf(TLS_COUNTERS))
      .nullable()
      .openapi({ description: 'TLS handshakes. null: there is no HTTPS port.' }),
  })
  .openapi('Traffic')
export type TrafficBody = z.infer<typeof trafficSchema>
