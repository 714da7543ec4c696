// The edge on the wire, row by row of plugboard/proxy/EDGE.md: raw bytes through a real Plugboard, a real tunnel and a real
// Telephone, to a backend that records all received bytes. One stack serves all rows.

import { useEdge } from './edge.ts'

useEdge()

await import('./rows-on-wire.ts')
await import('./responses.ts')
await import('./upgrades.ts')
await import('./slowness.ts')
await import('./client-shares.ts')
await import('./local-responses.ts')
await import('./access.ts')
await import('./coverage.ts')
await import('./fuzzing.ts')
await import('./http2.ts')
