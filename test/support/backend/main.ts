// The misbehaving backend as a separate process, so that it does not share an event loop with the tested or measured code. It
// sends reports to the parent over the IPC channel. Without an IPC channel, it prints its port and serves.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { step } from './behaviours.ts'
import type { BackendReport } from './report.ts'
import { createBackend } from './server.ts'

const report = (event: BackendReport) => {
  if (process.connected) process.send?.(event)
}

const server = createBackend(report)
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
console.log(`listening on ${port}`)
report({ type: 'listening', port })

process.on('message', message => step((message as { step?: string }).step))
const stop = () => process.exit(0)
process.on('SIGTERM', stop)
process.on('disconnect', stop)
