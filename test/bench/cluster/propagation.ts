// Measures how long a change takes to reach all replicas: three replica processes on one real Postgres, which are observed
// through their public ports.
//
//   appearsMs       a Telephone announces a service → each replica serves requests through it
//   leavesMs        the Telephone drains its tunnel → no replica uses it
//   killedMs        its socket closes without BYE, as for a killed process → no replica uses it
//   routeAddedMs    the admin API has responded → each replica has the route; routeRemovedMs is the same for a deletion
//
// Each figure is that of the slowest replica, and is too long by up to `watchIntervalMs`. The tunnel and the change are at
// another replica in each round.
//
//     node test/bench/cluster/propagation.ts [rounds, 200]      prints JSON

import { mkdtemp, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import { WebSocket } from 'ws'
import { EmbeddedPostgres } from '../../../plugboard/database/embedded/embedded-postgres.ts'
import { FakeTelephone } from '../../support/harness/fake-telephone.ts'
import { ClusterStack } from '../../support/programs/cluster.ts'
import { HOST, SERVICE } from '../../support/programs/stack.ts'
import { describeMachine } from '../figures/report.ts'
import { percentile, rounded } from '../figures/statistics.ts'
import { Watcher } from './watcher.ts'

const [rounds = 200] = process.argv.slice(2).map(Number)
const REPLICAS = 3
const WARM_UP = 5
const TARGET_MS = { line: 100, route: 50 } as const
/** The responses while the service has no working line. */
const GONE = ['503 no_telephone']

const stack = new ClusterStack({ replicaArgs: ['--no-access-log', '--no-rebalance'] })
const watchers: Watcher[] = []
const samples: Record<string, number[]> = {}

/** Resolves with the time of the slowest watcher since `fromMs`. A result from before counts as 0. */
async function everywhere(outcomes: readonly string[], fromMs: number): Promise<number> {
  const sightings = await Promise.all(watchers.map(watcher => watcher.see(outcomes, fromMs)))
  return Math.max(0, ...sightings.map(({ seenMs }) => seenMs - fromMs))
}

function note(name: string, round: number, ms: number): void {
  if (round < WARM_UP) return
  samples[name] ??= []
  samples[name].push(ms)
}

async function dial(port: number, round: number): Promise<{ telephone: FakeTelephone; socket: Socket }> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/_plugboard/tunnel`, 'plugboard.v1', {
    headers: { authorization: `Bearer ${stack.token}` },
    ...TUNNEL_WEBSOCKET_OPTIONS,
  })
  // The test destroys this WebSocket itself, so its error is expected.
  webSocket.on('error', () => undefined)
  const name = `telephone-${round}`
  const identity = { name, instance: name, startedAt: Date.now() }
  const dialled = await new Promise<{ telephone: FakeTelephone; socket: Socket }>(resolve => {
    webSocket.on('upgrade', ({ socket }) => {
      // In the same turn, because the hello of Plugboard may have arrived with the handshake.
      webSocket.on('open', () => {
        resolve({ telephone: new FakeTelephone(webSocketTransport(webSocket, socket), identity), socket })
      })
    })
  })
  dialled.telephone.handler = call => call.respond(200)
  await dialled.telephone.ready()
  return dialled
}

async function measureLine(round: number, end: 'leavesMs' | 'killedMs'): Promise<void> {
  const { port } = stack.places[round % REPLICAS]!
  const { telephone, socket } = await dial(port, round)
  const announcedMs = performance.now()
  const appears = everywhere(['200'], announcedMs)
  await telephone.announce({ service: SERVICE })
  note('appearsMs', round, await appears)
  const endMs = performance.now()
  const disappears = everywhere(GONE, endMs)
  if (end === 'killedMs') socket.destroy()
  else void telephone.session.drain(1000)
  note(end, round, await disappears)
  await telephone.closed
}

async function measureRoute(round: number): Promise<void> {
  const host = `route-${round}.localhost`
  for (const watcher of watchers) watcher.lookAt(host)
  const replica = stack.replicas[round % REPLICAS]!
  const added = await replica.addRoute(host, SERVICE)
  note('routeAddedMs', round, await everywhere(GONE, performance.now()))
  await replica.call('DELETE', `/v1/routes/${added.id}`)
  note('routeRemovedMs', round, await everywhere(['404 route_not_found'], performance.now()))
}

function report() {
  const figures = Object.entries(samples).map(([name, values]) => {
    const targetMs = name.startsWith('route') ? TARGET_MS.route : TARGET_MS.line
    const [p50, p99, max] = [0.5, 0.99, 1].map(fraction => rounded(percentile(values, fraction)))
    return [name, { p50, p99, max, samples: values.length, targetMs, met: p99! <= targetMs }]
  })
  const intervals = watchers.map(({ intervalMs }) => intervalMs)
  return {
    machine: describeMachine('this process'),
    replicas: REPLICAS,
    watchIntervalMs: rounded(Math.max(...intervals)),
    ...Object.fromEntries(figures),
  }
}

const folder = await mkdtemp(join(tmpdir(), 'propagation-bench-'))
const postgres = await EmbeddedPostgres.start({ folder, log: silentLogger })
try {
  await stack.start(REPLICAS, { url: postgres.url, drop: () => Promise.resolve() })
  await stack.untilLinked()
  watchers.push(...stack.places.map(({ port }) => new Watcher(port, HOST)))
  for (let round = 0; round < rounds + WARM_UP; round += 1) {
    await measureLine(round, round % 2 === 0 ? 'leavesMs' : 'killedMs')
  }
  for (let round = 0; round < rounds + WARM_UP; round += 1) await measureRoute(round)
  process.stdout.write(`${JSON.stringify(report(), null, 2)}\n`)
} finally {
  await Promise.all(watchers.map(watcher => watcher.stop()))
  await stack.stop()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}
