// One run: builds the cluster and its observers, performs the schedule under traffic and edits, and prints the result. The
// test and the command line use it.

import { writeFile } from 'node:fs/promises'
import { seededRandom } from '../support/seeded-random.ts'
import { RouteEditor } from './client/route-editor.ts'
import { RouteHistory } from './client/route-history.ts'
import { Traffic } from './client/traffic.ts'
import { Balancer } from './cluster/balancer.ts'
import { ChaosCluster, type Programs, SERVICES } from './cluster/cluster.ts'
import type { Replica } from './cluster/replica.ts'
import { Judgement } from './judgement.ts'
import { RunClock } from './run-clock.ts'
import { Scene } from './scene.ts'
import { happen, type Schedule } from './schedule.ts'
import { Windows } from './windows.ts'

export interface ChaosOptions extends Schedule {
  readonly seed: number
  readonly perSecond?: number
  readonly programs?: Programs
  /** A file for the output of all processes. */
  readonly logFile?: string
  readonly say: (text: string) => void
}

export interface ChaosReport {
  /** One text for each violated rule; empty when the run kept all of them. */
  readonly complaints: readonly string[]
}

const PER_SECOND = 60
/** The time after the last incident in which late effects can occur, ms. */
const CALM_MS = 3000

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, perSecond = PER_SECOND } = options
  const startedAtMs = performance.now()
  const say = (text: string): void =>
    options.say(`${((performance.now() - startedAtMs) / 1000).toFixed(1).padStart(6)} s  ${text}`)
  say(`seed ${seed}`)
  const random = seededRandom(seed)
  const clock = new RunClock()
  const windows = new Windows()
  const routes = new RouteHistory()
  const judgement = new Judgement(routes)
  const unwell = new Set<Replica>()
  const cluster = new ChaosCluster(options.programs ?? {}, say)
  const watchers: { stop(): Promise<void> }[] = []
  const complaints: string[] = []
  try {
    await cluster.start()
    clock.start()
    const well = (): Replica[] => cluster.replicas.filter(replica => !unwell.has(replica))
    const editor = new RouteEditor({
      cluster,
      routes,
      windows,
      random: seededRandom(seed + 1),
      clock,
      well,
      mayBeStale: (...times) => judgement.mayBeStale(...times),
    })
    watchers.push(editor)
    await editor.begin(Object.fromEntries(Object.keys(SERVICES).map(name => [`${name}.test`, name])))
    const balancer = await Balancer.start(cluster.replicas)
    watchers.push(balancer)
    for (const { name } of cluster.replicas) await balancer.untilHealth(name, true)
    const traffic = new Traffic({
      balancer,
      perSecond,
      clock,
      random: seededRandom(seed + 2),
      hosts: () => routes.hosts,
      onAsked: asked => judgement.take(asked),
    })
    watchers.push(traffic)
    const scene = new Scene({ cluster, balancer, judgement, windows, editor, random, clock, say }, unwell)
    say('the cluster is complete')
    await scene.pause(1000, 1000)
    await happen(scene, options).catch((error: unknown) => {
      const cause = error instanceof Error && error.cause !== undefined ? `: ${error.cause}` : ''
      complaints.push(`the schedule failed: ${error}${cause}`)
    })
    say('calm')
    await scene.pause(CALM_MS, CALM_MS)
    await traffic.stop()
    await editor.stop()
    const { complaints: judged, excused } = judgement.conclude()
    complaints.push(...judged, ...windows.broken(), ...editor.problems)
    const { acknowledged, unavailable, unanswered } = editor.report
    say(`${traffic.sent} requests, ${judgement.responded} correct responses; ${traffic.skipped} not sent`)
    say(`${acknowledged} edits acknowledged, ${unavailable} rejected, ${unanswered} without a response`)
    for (const [reason, count] of excused) say(`${count} excused failures: ${reason}`)
    const { count, ms } = clock.stalls
    if (count > 0)
      say(`this process stalled ${count} times, ${Math.round(ms)} ms in all; the windows exclude this time`)
    options.say(`\n${windows.table()}\n`)
  } finally {
    clock.stop()
    if (options.logFile !== undefined) await writeFile(options.logFile, cluster.outputs())
    for (const watcher of watchers.reverse()) await watcher.stop()
    await cluster.stop()
  }
  say(complaints.length === 0 ? 'no complaints' : `${complaints.length} complaints, seed ${seed}`)
  for (const complaint of complaints) options.say(`  ${complaint}`)
  return { complaints }
}
