// Reads many event streams at once. Every event has the time of the backend's monotonic clock, which all processes of one
// machine share. So the difference to our clock is the time of the transfer.

import { get } from 'node:http'
import { percentile } from '../figures/statistics.ts'
import type { SseJob, SseResult } from './protocol.ts'

export async function followEvents(job: SseJob): Promise<SseResult> {
  const count = Math.max(1, Math.round((job.seconds * 1000) / job.intervalMs))
  const latencies: number[] = []
  const follow = () =>
    new Promise<void>((resolve, reject) => {
      const path = `/sse?count=${count}&intervalMs=${job.intervalMs}`
      const options = {
        port: job.port,
        host: '127.0.0.1',
        path,
        headers: { host: job.host },
        agent: false as const,
      }
      const request = get(options, response => {
        response.setEncoding('latin1')
        let pending = ''
        response.on('data', (text: string) => {
          const nowUs = Number(process.hrtime.bigint() / 1000n)
          const events = (pending + text).split('\n\n')
          pending = events.pop() ?? ''
          for (const event of events) {
            const sentUs = Number(/^data: (\d+)$/m.exec(event)?.[1] ?? Number.NaN)
            latencies.push((nowUs - sentUs) / 1000)
          }
        })
        response.on('end', resolve)
        response.on('error', reject)
      })
      request.on('error', reject)
    })
  await Promise.all(Array.from({ length: job.streams }, follow))
  return {
    events: latencies.length,
    expected: job.streams * count,
    latencyMs: {
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      max: percentile(latencies, 1),
    },
  }
}
