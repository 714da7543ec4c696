// Sends requests over HTTP/2 as fast as one thread can: GETs with a small response, or unary gRPC calls with a small message.
// Each connection keeps a fixed number of requests open.

import { connect } from 'node:http2'
import { percentile } from '../figures/statistics.ts'
import type { LoadResult, StreamsJob } from './protocol.ts'

/** 100 bytes after their length (gRPC over HTTP/2: length-prefixed message). */
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 100]), Buffer.alloc(100, 'x')])

export async function askOnStreams(job: StreamsJob): Promise<LoadResult> {
  const latencies: number[] = []
  let errors = 0
  const started = performance.now()
  const until = started + job.seconds * 1000
  const get = { ':authority': job.host, ':path': '/' }
  const call = {
    ':authority': job.host,
    ':path': '/echo.Echo/Unary',
    ':method': 'POST',
    'content-type': 'application/grpc',
    te: 'trailers',
  }

  const connection = async (): Promise<void> => {
    const session = connect(`https://127.0.0.1:${job.port}`, { rejectUnauthorized: false })
    session.on('error', () => {
      errors += 1
    })
    const ask = () =>
      new Promise<void>(resolve => {
        const askedAt = performance.now()
        const stream = session.request(job.kind === 'grpc' ? call : get, { endStream: job.kind !== 'grpc' })
        let done = false
        stream.on('response', headers => {
          if (job.kind !== 'grpc') done = headers[':status'] === 200
        })
        stream.on('trailers', trailers => {
          done = trailers['grpc-status'] === '0'
        })
        stream.on('error', () => {
          done = false
        })
        stream.on('close', () => {
          if (done) latencies.push(performance.now() - askedAt)
          else errors += 1
          resolve()
        })
        stream.resume()
        if (job.kind === 'grpc') stream.end(MESSAGE)
      })
    const lane = async (): Promise<void> => {
      while (performance.now() < until && !session.destroyed) await ask()
    }
    await Promise.all(Array.from({ length: job.streams }, lane))
    session.close()
  }
  await Promise.all(Array.from({ length: job.connections }, connection))
  return {
    requests: latencies.length,
    errors,
    seconds: (performance.now() - started) / 1000,
    latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
  }
}
