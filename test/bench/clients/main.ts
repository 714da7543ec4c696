// A client process of the bench: runs one job from the command line, and prints one JSON line at its end.

import { sendArrivals } from './arrivals.ts'
import { shakeHands } from './handshake.ts'
import { measureLimitShare } from './limit-share.ts'
import { measureLimits } from './limits.ts'
import { generateLoad } from './load.ts'
import type { Job } from './protocol.ts'
import { followEvents } from './sse.ts'
import { askOnStreams } from './streams.ts'
import { measureTraces } from './traces.ts'
import { download, stall, upload } from './transfer.ts'
import { echoMessages } from './websocket.ts'

const job = JSON.parse(process.argv[2] ?? '{}') as Job

function run(): Promise<object> {
  switch (job.kind) {
    case 'load':
      return generateLoad(job)
    case 'http2':
    case 'grpc':
      return askOnStreams(job)
    case 'handshake':
      return shakeHands(job)
    case 'arrivals':
      return sendArrivals(job)
    case 'limits':
      return Promise.resolve(measureLimits(job))
    case 'traces':
      return measureTraces(job)
    case 'limit-share':
      return Promise.resolve(measureLimitShare(job))
    case 'download':
      return download(job)
    case 'upload':
      return upload(job)
    case 'stall':
      return stall(job)
    case 'sse':
      return followEvents(job)
    case 'websocket':
      return echoMessages(job)
  }
}

process.on('SIGTERM', () => process.exit(0))
console.log(`result ${JSON.stringify(await run())}`)
