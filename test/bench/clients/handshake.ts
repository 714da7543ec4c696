// Opens a TLS connection for each GET, as fast as one thread can. This measures the cost of the first request of a client,
// with a full handshake or a resumed session.

import { connect } from 'node:tls'
import { percentile } from '../figures/statistics.ts'
import type { HandshakeJob, LoadResult } from './protocol.ts'

export async function shakeHands(job: HandshakeJob): Promise<LoadResult> {
  const request = `GET / HTTP/1.1\r\nHost: ${job.host}\r\nConnection: close\r\n\r\n`
  const latencies: number[] = []
  let errors = 0
  const started = performance.now()
  const until = started + job.seconds * 1000

  const lane = async (): Promise<void> => {
    let session: Buffer | undefined
    const ask = () =>
      new Promise<void>(resolve => {
        const askedAt = performance.now()
        let head = ''
        const socket = connect({
          port: job.port,
          host: '127.0.0.1',
          rejectUnauthorized: false,
          ...(job.resume && session !== undefined && { session }),
        })
        socket.on('session', each => {
          session = each
        })
        socket.on('secureConnect', () => {
          if (job.resume && latencies.length > job.connections && !socket.isSessionReused()) errors += 1
          socket.write(request)
        })
        socket.on('data', (chunk: Buffer) => {
          if (head.length < 12) head += chunk.toString('latin1')
        })
        socket.on('error', () => {
          head = ''
        })
        socket.on('close', () => {
          if (head.startsWith('HTTP/1.1 200')) latencies.push(performance.now() - askedAt)
          else errors += 1
          resolve()
        })
      })
    while (performance.now() < until) await ask()
  }
  await Promise.all(Array.from({ length: job.connections }, lane))
  return {
    requests: latencies.length,
    errors,
    seconds: (performance.now() - started) / 1000,
    latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
  }
}
