// `npm run bench`: starts backends and targets on loopback, measures them in one run, prints a table to stderr and the JSON to
// stdout, and stops all processes that it started.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { APP_CERTIFICATE } from '../support/credentials/certificates.ts'
import { Processes } from '../support/process/processes.ts'
import { startBackend } from './backends/start-backend.ts'
import type { Measurement, OwnScenarioContext, ScenarioContext } from './figures/measurement.ts'
import { type BenchReport, describeMachine, renderTable } from './figures/report.ts'
import {
  type BenchOptions,
  HELP,
  type OwnScenarioName,
  type PathScenarioName,
  parseOptions,
  type ScenarioName,
  type TargetName,
} from './options.ts'
import { measureBalance } from './scenarios/balance.ts'
import { measureBulk } from './scenarios/bulk.ts'
import { measureBundle } from './scenarios/bundle.ts'
import { measureDashboard } from './scenarios/dashboard.ts'
import { measureFront } from './scenarios/front.ts'
import { measureLimits } from './scenarios/limits.ts'
import { measureLists } from './scenarios/lists.ts'
import { measureSmallRequests } from './scenarios/small.ts'
import { measureEventStreams } from './scenarios/sse.ts'
import { measureTelemetry } from './scenarios/telemetry.ts'
import { measureWebSockets } from './scenarios/websocket.ts'
import { loadGenerator } from './small-load.ts'
import { type Front, type StartTarget, type Target, TargetMissing } from './target.ts'
import { startDirect } from './targets/direct.ts'
import { startNginxProxy } from './targets/nginx.ts'
import { startSshReverse } from './targets/ssh.ts'
import { startOtherVera, startVera } from './targets/vera.ts'

const PATHS: Record<PathScenarioName, (context: ScenarioContext) => Promise<Measurement[]>> = {
  small: measureSmallRequests,
  front: measureFront,
  bulk: measureBulk,
  sse: measureEventStreams,
  websocket: measureWebSockets,
}

const OWN: Record<OwnScenarioName, (context: OwnScenarioContext) => Promise<Measurement[]>> = {
  balance: measureBalance,
  bundle: measureBundle,
  dashboard: measureDashboard,
  limits: measureLimits,
  lists: measureLists,
  telemetry: measureTelemetry,
}

const TARGETS: Record<TargetName, StartTarget> = {
  direct: startDirect,
  nginx: startNginxProxy,
  ssh: startSshReverse,
  vera: startVera,
  'vera-again': startVera,
  'vera-other': startOtherVera,
}

const say = (text: string) => process.stderr.write(`${text}\n`)

/** Creates the certificate and starts the gRPC backend for the scenario `front`. */
async function startFront(processes: Processes, folder: string): Promise<Front> {
  const certificateFolder = join(folder, 'certificates')
  await mkdir(certificateFolder)
  await writeFile(join(certificateFolder, 'app.crt'), APP_CERTIFICATE.cert)
  await writeFile(join(certificateFolder, 'app.key'), APP_CERTIFICATE.key)
  const backend = processes.node('grpc-backend', [join(import.meta.dirname, 'backends/grpc-backend.ts')])
  const [, port] = await backend.waitForLine(/^listening on (\d+)$/)
  return { certificateFolder, grpcPort: Number(port) }
}

/** The targets that support TLS and HTTP/2. Other targets are not measured in the scenario `front`. */
const FRONT_TARGETS: ReadonlySet<TargetName> = new Set(['nginx', 'vera', 'vera-again', 'vera-other'])

const isOwn = (scenario: ScenarioName): scenario is OwnScenarioName => Object.hasOwn(OWN, scenario)

async function runScenario(
  scenario: ScenarioName,
  options: BenchOptions,
  skipped: Map<string, string>,
): Promise<Measurement[]> {
  const folder = await mkdtemp(join(tmpdir(), 'vera-bench-'))
  const processes = new Processes()
  try {
    if (isOwn(scenario)) return await OWN[scenario]({ processes, options, folder, say })
    const backendPort = await startBackend(scenario, processes, folder)
    const front = scenario === 'front' ? await startFront(processes, folder) : undefined
    const targets = new Map<TargetName, Target>()
    for (const name of options.targets) {
      if (front !== undefined && !FRONT_TARGETS.has(name)) continue
      const home = join(folder, name)
      await mkdir(home)
      try {
        targets.set(
          name,
          await TARGETS[name]({
            processes,
            backendPort,
            folder: home,
            source: options.source,
            against: options.against,
            ...(front !== undefined && { front }),
          }),
        )
      } catch (error) {
        if (!(error instanceof TargetMissing)) throw error
        skipped.set(name, error.message)
      }
    }
    return await PATHS[scenario]({ processes, options, targets, say })
  } finally {
    try {
      await processes.stopAll()
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2))
  if (!options) {
    process.stdout.write(HELP)
    return
  }
  const startedAt = new Date().toISOString()
  const machine = describeMachine(loadGenerator())
  const skipped = new Map<string, string>()
  const measurements: Measurement[] = []
  for (const scenario of options.scenarios)
    measurements.push(...(await runScenario(scenario, options, skipped)))
  const report: BenchReport = {
    startedAt,
    machine,
    options,
    skipped: [...skipped].map(([target, reason]) => ({ target, reason })),
    measurements,
  }
  const json = `${JSON.stringify(report, null, 2)}\n`
  if (options.jsonFile !== undefined) await writeFile(options.jsonFile, json)
  say(`\n${renderTable(report)}`)
  process.stdout.write(json)
}

try {
  await main()
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exitCode = 1
}
