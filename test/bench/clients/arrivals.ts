// Sends GETs at random times, on average `perSecond`, independent of the responses (open loop). The latency of a request begins
// at its planned time, so a slow response does not hide the wait of the requests behind it.

import { Agent, get } from 'node:http'
import { seededRandom } from '../../support/seeded-random.ts'
import { percentile } from '../figures/statistics.ts'
import type { ArrivalsJob, ArrivalsResult } from './protocol.ts'

export async function sendArrivals(job: ArrivalsJob): Promise<ArrivalsResult> {
  const agent = new Agent({ keepAlive: true })
  const random = seededRandom(job.seed)
  const latencies: number[] = []
  const byBackend = Array.from({ length: job.backends }, () => 0)
  let errors = 0
  const startedAt = performance.now()
  const countedFrom = startedAt + job.warmUpSeconds * 1000
  const until = countedFrom + job.seconds * 1000

  const send = (plannedAt: number) =>
    new Promise<void>(resolve => {
      const options = { port: job.port, host: '127.0.0.1', headers: { host: job.host }, agent }
      const fail = () => {
        if (plannedAt >= countedFrom) errors += 1
        resolve()
      }
      const request = get(options, response => {
        response.on('error', fail)
        response.resume().on('end', () => {
          if (response.statusCode !== 200) return fail()
          if (plannedAt >= countedFrom) {
            latencies.push(performance.now() - plannedAt)
            byBackend[Number(response.headers['x-backend'])]! += 1
          }
          resolve()
        })
      })
      request.on('error', fail)
    })

  const sent: Promise<void>[] = []
  let nextAt = startedAt
  while (nextAt < until) {
    while (nextAt <= performance.now() && nextAt < until) {
      sent.push(send(nextAt))
      nextAt += (-Math.log(1 - random()) / job.perSecond) * 1000
    }
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await Promise.all(sent)
  agent.destroy()
  return {
    requests: latencies.length,
    errors,
    byBackend,
    latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
  }
}
