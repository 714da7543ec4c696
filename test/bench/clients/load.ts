// Sends small GETs as fast as one thread can, with one request at a time on each connection. It replaces wrk when wrk is not
// installed, and supports TLS. It reads only responses with Content-Length, which the small backend always sends.

import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { percentile } from '../figures/statistics.ts'
import type { LoadJob, LoadResult } from './protocol.ts'

const HEAD_END = Buffer.from('\r\n\r\n')

export async function generateLoad(job: LoadJob): Promise<LoadResult> {
  const request = Buffer.from(`GET / HTTP/1.1\r\nHost: ${job.host}\r\n\r\n`)
  const latencies: number[] = []
  const started = performance.now()
  const until = started + job.seconds * 1000
  let errors = 0

  const client = () =>
    new Promise<void>(resolve => {
      const to = { port: job.port, host: '127.0.0.1', noDelay: true }
      const socket = job.tls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to)
      let pending: Buffer = Buffer.alloc(0)
      let askedAt = 0
      const ask = () => {
        askedAt = performance.now()
        if (askedAt >= until) socket.destroy()
        else socket.write(request)
      }
      socket.on(job.tls ? 'secureConnect' : 'connect', ask)
      socket.on('data', (chunk: Buffer) => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
        const headBytes = pending.indexOf(HEAD_END) + HEAD_END.length
        if (headBytes < HEAD_END.length) return
        const head = pending.toString('latin1', 0, headBytes)
        const bodyBytes = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN)
        if (Number.isNaN(bodyBytes)) {
          socket.destroy(new Error(`a response without Content-Length: ${head}`))
          return
        }
        if (pending.length < headBytes + bodyBytes) return
        pending = pending.subarray(headBytes + bodyBytes)
        if (head.startsWith('HTTP/1.1 200')) latencies.push(performance.now() - askedAt)
        else errors += 1
        ask()
      })
      socket.on('error', () => {
        errors += 1
      })
      socket.on('close', () => resolve())
    })
  await Promise.all(Array.from({ length: job.connections }, client))
  return {
    requests: latencies.length,
    errors,
    seconds: (performance.now() - started) / 1000,
    latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
  }
}
