// The replicated registry at scale, in one process: ten replicas with ten thousand lines each, a replica that
// joins, single changes, and a million connects and disconnects. Prints a table for people on the standard error
// and one JSON object on the standard output. `--quick`: a tenth of everything;
// `--churn=N`: N connects and disconnects.

import { randomBytes } from 'node:crypto'
import v8 from 'node:v8'
import vm from 'node:vm'
import { systemClock } from '../../shared/clock.ts'
import { RegistryMesh } from './registry-mesh.ts'

const quick = process.argv.includes('--quick')
const REPLICAS = 10
const LINES_EACH = quick ? 1000 : 10_000
const churnGiven = process.argv.find(argument => argument.startsWith('--churn='))
const CHURN = churnGiven ? Number(churnGiven.slice('--churn='.length)) : quick ? 100_000 : 1_000_000
/** Connects and disconnects of all replicas together in one turn of the event loop. */
const CHURN_PER_TURN = 100
const SINGLES = quick ? 200 : 1000

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

function usedBytes(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const percentile = (values: number[], share: number): number =>
  values.sort((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * share))]!
const round = (value: number, digits = 1): number => Number(value.toFixed(digits))

const lines = REPLICAS * LINES_EACH
const results: Record<string, number> = { replicas: REPLICAS, lines }

const emptyBytes = usedBytes()
const mesh = new RegistryMesh()
for (let i = 0; i < REPLICAS; i += 1) mesh.add(`replica-${i}`)
const tunnels: string[][] = mesh.replicas.map(() => [])

function connect(index: number): void {
  const tunnelId = randomBytes(16).toString('base64url')
  tunnels[index]!.push(tunnelId)
  mesh.connect(mesh.replicas[index]!, tunnelId)
}

// All replicas fill up in turns of a hundred.
for (let done = 0; done < LINES_EACH; done += 100) {
  for (let index = 0; index < REPLICAS; index += 1) for (let i = 0; i < 100; i += 1) connect(index)
  await mesh.turn()
}
await mesh.untilAgreed()
const freshBytes = usedBytes() - emptyBytes
const freshStateBytes = mesh.stateBytes()
results.freshBytesPerLine = round(freshBytes / REPLICAS / lines)
results.freshStateBytesPerLine = round(freshStateBytes / REPLICAS / lines)

// A replica joins.
const beforeJoinBytes = usedBytes()
mesh.resetCosts()
const joinStartMs = performance.now()
const joiner = mesh.add('joiner')
await mesh.until(() => joiner.lineCount() === lines && joiner.agrees())
results.joinMs = round(performance.now() - joinStartMs)
results.joinBytesReceived = mesh.costs.messageBytes
results.joinMaxBlockMs = round(mesh.costs.maxBlockMs)
results.joinedBytesPerLine = round((usedBytes() - beforeJoinBytes) / lines)

// A lease runs out, and comes back: the lines of one replica leave the registry and return.
const [observer, silent] = [mesh.replicas[0]!, mesh.replicas[1]!]
const hideStartMs = performance.now()
observer.follower.endLease(silent.id, silent.boot)
results.hideMs = round(performance.now() - hideStartMs)
const showStartMs = performance.now()
observer.follower.renewLease(silent.id, silent.boot, systemClock.now() + 3_600_000)
results.showMs = round(performance.now() - showStartMs)
mesh.remove(joiner)
await mesh.turn()

// Single changes, each awaited on all other replicas.
mesh.resetCosts()
const visibleMs: number[] = []
for (let i = 0; i < SINGLES; i += 1) {
  const index = i % REPLICAS
  const startMs = performance.now()
  connect(index)
  const tunnelId = tunnels[index]!.at(-1)!
  await mesh.until(() => mesh.replicas.every(replica => replica.lists(tunnelId)))
  visibleMs.push(performance.now() - startMs)
}
results.visibleMsP50 = round(percentile(visibleMs, 0.5), 2)
results.visibleMsP99 = round(percentile(visibleMs, 0.99), 2)
results.singleBytesPerPeer = round(mesh.costs.messageBytes / SINGLES / (REPLICAS - 1))
results.singleWriteMicros = round((mesh.costs.writeMs / SINGLES) * 1000)
results.singleReadMicros = round((mesh.costs.readMs / SINGLES / (REPLICAS - 1)) * 1000)

// A million connects and disconnects: random tunnels go, new ones come.
mesh.resetCosts()
const churnStart = process.cpuUsage()
for (let done = 0; done < CHURN; done += CHURN_PER_TURN) {
  for (let i = 0; i < CHURN_PER_TURN; i += 2) {
    const index = Math.floor(Math.random() * REPLICAS)
    const own = tunnels[index]!
    const at = Math.floor(Math.random() * own.length)
    const gone = own[at]!
    own[at] = own.at(-1)!
    own.pop()
    mesh.disconnect(mesh.replicas[index]!, gone)
    connect(index)
  }
  await mesh.turn()
}
const churnCpu = process.cpuUsage(churnStart)
await mesh.untilAgreed()
results.churnChanges = CHURN
results.churnCpuSeconds = round((churnCpu.user + churnCpu.system) / 1e6)
results.churnBytesPerChangeAndPeer = round(mesh.costs.messageBytes / CHURN / (REPLICAS - 1))
results.churnWriteMicros = round((mesh.costs.writeMs / CHURN) * 1000)
results.churnSendMicros = round((mesh.costs.sendMs / CHURN / (REPLICAS - 1)) * 1000)
results.churnReadMicros = round((mesh.costs.readMs / CHURN / (REPLICAS - 1)) * 1000)
results.churnMaxBlockMs = round(mesh.costs.maxBlockMs)
const churnedBytes = usedBytes() - emptyBytes
results.churnedBytesPerLine = round(churnedBytes / REPLICAS / mesh.lineCount())
results.churnedStateBytesPerLine = round(mesh.stateBytes() / REPLICAS / mesh.lineCount())
results.memoryAfterChurnRatio = round(results.churnedBytesPerLine! / results.freshBytesPerLine!, 2)
results.stateAfterChurnRatio = round(results.churnedStateBytesPerLine! / results.freshStateBytesPerLine!, 2)
results.faults = mesh.faultCount()
mesh.close()

const EXPLAINED: Record<string, string> = {
  freshBytesPerLine: 'memory of a line on each replica, registry and documents, fresh, bytes',
  joinedBytesPerLine: 'the same on a replica that has just joined and has no lines of its own, bytes',
  churnedBytesPerLine: 'the same after the churn, bytes',
  memoryAfterChurnRatio: 'memory after churn / fresh',
  freshStateBytesPerLine: 'encoded documents, fresh, bytes a line',
  churnedStateBytesPerLine: 'encoded documents after the churn, bytes a line',
  stateAfterChurnRatio: 'documents after churn / fresh',
  joinMs: 'a joining replica has everything after, ms',
  joinMaxBlockMs: 'longest single step of that, ms of CPU',
  hideMs: 'the lines of one replica leave the registry when its lease ends, ms',
  showMs: '… return when it is renewed, ms',
  visibleMsP50: 'a new line is on all replicas after, p50, ms',
  visibleMsP99: '… p99, ms',
  singleBytesPerPeer: 'message for one change, bytes a peer',
  singleWriteMicros: 'one change alone: its owner writes it, µs of CPU',
  singleReadMicros: '… each other replica reads it, µs',
  churnWriteMicros: 'a change of many: its owner writes it, µs',
  churnSendMicros: '… makes the message, µs a peer',
  churnReadMicros: '… each other replica reads it, µs',
  churnBytesPerChangeAndPeer: '… bytes a peer',
  churnMaxBlockMs: 'longest single step of the churn, ms of CPU',
}
for (const [name, meaning] of Object.entries(EXPLAINED))
  console.error(`${String(results[name]).padStart(10)}  ${meaning}`)
console.log(JSON.stringify(results))
