// Measures the cost of one forwarded hop: the same small requests to the replica that holds the tunnel, and to another one.
// The result is the CPU time of both replicas and the Telephone together. The two measurements alternate, so that other load
// affects both.
//
//     node test/bench/cluster/forwarding.ts [seconds of a round, 5] [rounds, 3]      prints JSON

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { EmbeddedPostgres } from '../../../plugboard/database/embedded/embedded-postgres.ts'
import { processTree } from '../../support/process/process-table.ts'
import { ClusterStack } from '../../support/programs/cluster.ts'
import { HOST } from '../../support/programs/stack.ts'
import { cpuMicroseconds } from '../figures/cost.ts'
import { runLoad } from '../small-load.ts'

const [seconds = 5, rounds = 3] = process.argv.slice(2).map(Number)
const CONNECTIONS = 32

interface Cost {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly errors: number
  /** CPU time of a request, µs. */
  readonly cpu: { readonly replica1: number; readonly replica2: number; readonly telephone: number }
}

async function measure(stack: ClusterStack, telephonePid: number, index: number): Promise<Cost> {
  const groups = [...stack.replicas.map(({ child }) => child.pid), telephonePid].map(processTree)
  const before = groups.map(cpuMicroseconds)
  const port = stack.places[index]!.port
  const job = { kind: 'load', port, host: HOST, seconds, connections: CONNECTIONS } as const
  const { requests, errors, latencyMs } = await runLoad(stack.processes, job)
  const [replica1 = 0, replica2 = 0, telephone = 0] = groups.map((pids, at) =>
    Math.round((cpuMicroseconds(pids) - before[at]!) / requests),
  )
  const requestsPerSecond = Math.round(requests / seconds)
  return { requestsPerSecond, p50Ms: latencyMs.p50, errors, cpu: { replica1, replica2, telephone } }
}

const total = ({ cpu }: Cost): number => cpu.replica1 + cpu.replica2 + cpu.telephone

const folder = await mkdtemp(join(tmpdir(), 'forwarding-bench-'))
const postgres = await EmbeddedPostgres.start({ folder, durable: false, log: silentLogger })
const stack = new ClusterStack()
// The backend runs in this process, whose CPU time does not count.
const backend = createServer((_request, response) => response.end('hello\n')).listen(0, '127.0.0.1')
try {
  await stack.start(2, { url: postgres.url, drop: () => Promise.resolve() })
  await stack.untilLinked()
  const target = (backend.address() as AddressInfo).port
  const telephone = await stack.startTelephone(0, {
    target,
    args: ['--tunnels', '1', '--no-follow-replicas'],
  })
  const local: Cost[] = []
  const forwarded: Cost[] = []
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, costs] of [local, forwarded].entries()) {
      const cost = await measure(stack, telephone.child.pid, index)
      // The first round is a warm-up.
      if (round > 0) costs.push(cost)
    }
  }
  const ratios = local.map((cost, round) => total(forwarded[round]!) / total(cost)).sort((a, b) => a - b)
  const ratio = ratios[Math.floor(ratios.length / 2)]
  process.stdout.write(
    `${JSON.stringify({ seconds, connections: CONNECTIONS, ratio, local, forwarded }, null, 2)}\n`,
  )
} finally {
  backend.close()
  backend.closeAllConnections()
  await stack.stop()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}
