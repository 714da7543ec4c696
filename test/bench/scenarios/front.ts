// The protocols at the front other than plain HTTP/1.1: TLS, its handshakes, HTTP/2, gRPC. Every figure is the CPU time of
// the processes between client and backend for one request.

import type { Job, LoadResult } from '../clients/protocol.ts'
import { interleaved, type Measurement, type ScenarioContext, withCpuPer } from '../figures/measurement.ts'
import { runClient } from '../run-client.ts'
import type { Target } from '../target.ts'

type LoadedJob = Extract<Job, { kind: 'load' | 'http2' | 'grpc' | 'handshake' }>

/** Open requests on each connection of HTTP/2. */
const STREAMS = 16

export async function measureFront(context: ScenarioContext): Promise<Measurement[]> {
  const { options, processes } = context
  const { seconds, connections } = options
  const few = Math.max(1, Math.round(connections / STREAMS))
  const kinds: [string, (target: Target) => LoadedJob][] = [
    ['HTTP/1.1 GET', ({ port, host }) => ({ kind: 'load', port, host, seconds, connections })],
    ['HTTPS GET', target => ({ kind: 'load', ...secure(target), seconds, connections, tls: true })],
    [
      'HTTP/2 GET',
      target => ({ kind: 'http2', ...secure(target), seconds, connections: few, streams: STREAMS }),
    ],
    ['gRPC call', target => ({ kind: 'grpc', ...grpc(target), seconds, connections: few, streams: STREAMS })],
    [
      'TLS connection',
      target => ({ kind: 'handshake', ...secure(target), seconds, connections: few, resume: false }),
    ],
    [
      'TLS resumption',
      target => ({ kind: 'handshake', ...secure(target), seconds, connections: few, resume: true }),
    ],
  ]
  const measurements: Measurement[] = []
  for (const [scenario, jobFor] of kinds) {
    const measured = await interleaved(context, scenario, options.rounds, async target => {
      const load = (): Promise<LoadResult> => runClient(processes, jobFor(target))
      const { result, cpu } = await withCpuPer(target, load, ({ requests }) => requests)
      return {
        requestsPerSecond: result.requests / result.seconds,
        p50Ms: result.latencyMs.p50,
        p99Ms: result.latencyMs.p99,
        errors: result.errors,
        ...cpu,
      }
    })
    measurements.push(...measured)
  }
  return measurements
}

function secure({ front, host }: Target): { port: number; host: string } {
  if (front === undefined) throw new Error('a target without TLS')
  return { port: front.tlsPort, host }
}

function grpc({ front }: Target): { port: number; host: string } {
  if (front === undefined) throw new Error('a target without TLS')
  return { port: front.tlsPort, host: front.grpcHost }
}
