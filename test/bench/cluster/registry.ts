// Measures the replicated registry at scale, in one process. It has two parts:
//
//   size    ten replicas with ten thousand lines each, all linked with all: memory, a replica that joins, a lease
//           that ends, single changes
//   churn   the same ten replicas with a reader, which has no own lines and follows all ten, during a million
//           connects and disconnects. The owners do not follow each other: the copy of a reader does not depend on
//           the number of other readers, and nine more readers in one process would measure the garbage collector
//
// Prints a table for people on the standard error, and one JSON object on the standard output.
//
//     node test/bench/cluster/registry.ts [--quick: a tenth of everything] [--churn=N: connects and disconnects]
//                                 [--readers=N: in the churn, 1]

import { randomBytes } from 'node:crypto'
import v8 from 'node:v8'
import vm from 'node:vm'
import { asReplicaId } from '../../../plugboard/common/ids/replica-id.ts'
import { systemClock } from '../../../shared/clock.ts'
import { percentile } from '../figures/statistics.ts'
import { explain } from './registry-figures.ts'
import { type MeshReplica, RegistryMesh } from './registry-mesh.ts'

const quick = process.argv.includes('--quick')
const OWNERS = 10
const LINES_EACH = quick ? 1000 : 10_000
const LINES = OWNERS * LINES_EACH
const CHURN = given('churn') ?? (quick ? 100_000 : 1_000_000)
const READERS = given('readers') ?? 1
/** Connects and disconnects of all replicas together in one turn of the event loop. */
const CHURN_PER_TURN = 100
const SINGLES = quick ? 200 : 1000

function given(name: string): number | undefined {
  const text = process.argv.find(argument => argument.startsWith(`--${name}=`))
  return text === undefined ? undefined : Number(text.slice(name.length + 3))
}

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

function usedBytes(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const round = (value: number, digits = 1): number => Number(value.toFixed(digits))

/** The tunnels of each owner, without an order. */
class Tunnels {
  readonly #mesh: RegistryMesh
  readonly #ids = new Map<MeshReplica, string[]>()

  constructor(mesh: RegistryMesh) {
    this.#mesh = mesh
  }

  connect(owner: MeshReplica): string {
    const tunnelId = randomBytes(16).toString('base64url')
    let own = this.#ids.get(owner)
    if (own === undefined) {
      own = []
      this.#ids.set(owner, own)
    }
    own.push(tunnelId)
    this.#mesh.connect(owner, tunnelId)
    return tunnelId
  }

  disconnectAny(owner: MeshReplica): void {
    const own = this.#ids.get(owner)!
    const at = Math.floor(Math.random() * own.length)
    const gone = own[at]!
    own[at] = own.at(-1)!
    own.pop()
    this.#mesh.disconnect(owner, gone)
  }

  /** Fills all owners, a hundred tunnels per turn. */
  async fill(owners: readonly MeshReplica[]): Promise<void> {
    for (let done = 0; done < LINES_EACH; done += 100) {
      for (const owner of owners) for (let i = 0; i < 100; i += 1) this.connect(owner)
      await this.#mesh.turn()
    }
    await this.#mesh.untilAgreed()
  }
}

async function measureSize(results: Record<string, number>): Promise<void> {
  const emptyBytes = usedBytes()
  const mesh = new RegistryMesh()
  for (let i = 0; i < OWNERS; i += 1) mesh.add(`replica-${i}`)
  const tunnels = new Tunnels(mesh)
  await tunnels.fill(mesh.replicas)
  results.freshBytesPerLine = round((usedBytes() - emptyBytes) / OWNERS / LINES)

  // A replica joins.
  const beforeJoinBytes = usedBytes()
  mesh.resetCosts()
  const joinStartMs = performance.now()
  const joiner = mesh.add('joiner')
  await mesh.until(() => joiner.lineCount() === LINES && joiner.agrees())
  results.joinMs = round(performance.now() - joinStartMs)
  results.joinBytesReceived = mesh.costs.messageBytes
  results.joinMaxBlockMs = round(mesh.costs.maxBlockMs)
  results.joinedBytesPerLine = round((usedBytes() - beforeJoinBytes) / LINES)

  // A lease runs out, and comes back: the lines of one replica leave the registry and return.
  const [observer, silent] = [mesh.replicas[0]!, mesh.replicas[1]!]
  const hideStartMs = performance.now()
  observer.follower.endLease(asReplicaId(silent.id), silent.incarnation)
  results.hideMs = round(performance.now() - hideStartMs)
  const showStartMs = performance.now()
  observer.follower.renewLease(asReplicaId(silent.id), silent.incarnation, systemClock.now() + 3_600_000)
  results.showMs = round(performance.now() - showStartMs)
  mesh.remove(joiner)
  await mesh.turn()

  // Single changes. Each one is awaited on all other replicas.
  mesh.resetCosts()
  const visibleMs: number[] = []
  for (let i = 0; i < SINGLES; i += 1) {
    const startMs = performance.now()
    const tunnelId = tunnels.connect(mesh.replicas[i % OWNERS]!)
    await mesh.until(() => mesh.replicas.every(replica => replica.lists(tunnelId)))
    visibleMs.push(performance.now() - startMs)
  }
  results.visibleMsP50 = round(percentile(visibleMs, 0.5), 2)
  results.visibleMsP99 = round(percentile(visibleMs, 0.99), 2)
  results.singleBytesPerPeer = round(mesh.costs.messageBytes / SINGLES / (OWNERS - 1))
  results.singleWriteMicros = round((mesh.costs.writeMs / SINGLES) * 1000)
  results.singleReadMicros = round((mesh.costs.readMs / SINGLES / (OWNERS - 1)) * 1000)
  results.sizeFaults = mesh.faultCount()
  mesh.close()
}

async function measureChurn(results: Record<string, number>): Promise<void> {
  const mesh = new RegistryMesh()
  const owners: MeshReplica[] = []
  for (let i = 0; i < OWNERS; i += 1) owners.push(mesh.add(`replica-${i}`, []))
  const readers = Array.from({ length: READERS }, (_, i) => mesh.add(`reader-${i}`, owners))
  const tunnels = new Tunnels(mesh)
  const emptyBytes = usedBytes()
  await tunnels.fill(owners)
  const freshBytes = usedBytes() - emptyBytes
  const freshStateBytes = mesh.stateBytes() / READERS / LINES

  // Closes random tunnels and opens new ones.
  mesh.resetCosts()
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  for (let done = 0; done < CHURN; done += CHURN_PER_TURN) {
    for (let i = 0; i < CHURN_PER_TURN; i += 2) {
      const owner = owners[Math.floor(Math.random() * OWNERS)]!
      tunnels.disconnectAny(owner)
      tunnels.connect(owner)
    }
    await mesh.turn()
    const tenths = Math.floor(((done + CHURN_PER_TURN) * 10) / CHURN)
    if (tenths > Math.floor((done * 10) / CHURN)) {
      console.error(`churn: ${tenths * 10} % after ${round((performance.now() - startMs) / 1000)} s`)
    }
  }
  const cpu = process.cpuUsage(cpuBefore)
  await mesh.untilAgreed()
  results.churnChanges = CHURN
  results.churnReaders = READERS
  results.churnSeconds = round((performance.now() - startMs) / 1000)
  results.churnCpuSeconds = round((cpu.user + cpu.system) / 1e6)
  results.churnBytesPerChangeAndPeer = round(mesh.costs.messageBytes / CHURN / READERS)
  results.churnWriteMicros = round((mesh.costs.writeMs / CHURN) * 1000)
  results.churnSendMicros = round((mesh.costs.sendMs / CHURN / READERS) * 1000)
  results.churnReadMicros = round((mesh.costs.readMs / CHURN / READERS) * 1000)
  results.churnMaxBlockMs = round(mesh.costs.maxBlockMs)
  const churnedBytes = usedBytes() - emptyBytes
  results.memoryAfterChurnRatio = round(churnedBytes / freshBytes, 2)
  const churnedStateBytes = mesh.stateBytes() / READERS / readers[0]!.lineCount()
  results.freshStateBytesPerLine = round(freshStateBytes)
  results.churnedStateBytesPerLine = round(churnedStateBytes)
  results.stateAfterChurnRatio = round(churnedStateBytes / freshStateBytes, 2)
  results.churnFaults = mesh.faultCount()
  // The memory of a reader is the memory that is free after its end.
  const allBytes = usedBytes()
  const lines = readers[0]!.lineCount()
  mesh.remove(readers.shift()!)
  results.churnedBytesPerLine = round((allBytes - usedBytes()) / lines)
  mesh.close()
}

const results: Record<string, number> = { replicas: OWNERS, lines: LINES }
const startMs = performance.now()
await measureSize(results)
await measureChurn(results)
results.seconds = round((performance.now() - startMs) / 1000)
console.error(explain(results))
console.log(JSON.stringify(results))
