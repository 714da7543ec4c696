// Runs the checks of `plugboard doctor` on this machine, while no Plugboard responds to the command: settings, data folder,
// database and ports. It starts nothing, so an embedded database that is stopped stays stopped.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { systemClock } from '@vera-stack/shared/clock.ts'
import type { ListenAddress } from '@vera-stack/shared/settings.ts'
import type { DoctorBody } from '../../admin/api-types.ts'
import { StartupError } from '../../common/startup-error.ts'
import { type LoadedPlugboardConfig, loadPlugboardConfig, type PlugboardConfig } from '../../config.ts'
import { databasePlace } from '../../database/connection/database-url.ts'
import { type Database, openDatabase } from '../../database/database.ts'
import { EmbeddedPostgres } from '../../database/embedded/embedded-postgres.ts'
import { migrationStatus } from '../../database/migration/migrate.ts'
import {
  checkConnections,
  checkDatabaseClock,
  checkMigrations,
  checkReplicaRows,
  checkResponse,
  checkVersion,
  unreachableFinding,
} from '../../doctor/checks/database-checks.ts'
import { checkDisk } from '../../doctor/checks/machine-checks.ts'
import { portHolder } from '../../doctor/checks/port-holder.ts'
import { type Finding, failed, ok, unknown, warning } from '../../doctor/finding.ts'
import { type RunnableChecks, runChecks } from '../../doctor/run-checks.ts'
import { VERSION } from '../../version.ts'
import { checkAddresses } from '../ports/listen-addresses.ts'
import { addressText } from '../ports/listen-error.ts'

export interface LocalDoctorOptions {
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** The URL of the admin API. */
  readonly url: string
  /** The reason why the admin API could not be used. */
  readonly problem: string
  /** True when a Plugboard responds at the URL. */
  readonly responds: boolean
}

export async function runLocalDoctor(options: LocalDoctorOptions): Promise<DoctorBody> {
  const { url, responds } = options
  const report = (items: DoctorBody['items'], replicaId: string): DoctorBody => ({
    replicaId,
    version: VERSION,
    node: process.versions.node,
    checkedAt: new Date().toISOString(),
    items,
  })
  const running = { 'process.running': () => runningFinding(options) }
  // The other checks are about this machine, and the URL names another one.
  if (!isLoopback(url)) return report(await runChecks(running, systemClock), '')
  const loaded = settingsOf(options)
  if (loaded instanceof Error) {
    const settings = failed(
      `The settings are not valid: ${oneLine(loaded.message)}`,
      'Correct the named settings. docs/operating/settings.md lists all of them.',
    )
    return report(await runChecks({ ...running, 'configuration.settings': () => settings }, systemClock), '')
  }
  const config = loaded.values
  const data = resolve(options.cwd, config.data)
  const database = openConfigured(config, data)
  try {
    const checks = {
      ...running,
      'configuration.settings': () => settingsFinding(loaded),
      'machine.disk': () => checkDisk(data),
      ...(responds ? {} : { 'machine.ports': () => portsFinding(config) }),
      ...databaseChecks(database, config),
    }
    return report(await runChecks(checks, systemClock), config.name)
  } finally {
    await (await database).close()
  }
}

function runningFinding({ url, problem, responds }: LocalDoctorOptions): Finding {
  if (responds) {
    return failed(
      `A Plugboard responds at ${url}, but it did not run its checks: ${problem}`,
      'Give a key with the scope status:read (--api-key-file), or the data folder of this Plugboard (--data).',
    )
  }
  return failed(
    `No Plugboard responds at ${url}: ${problem}.`,
    'Run "plugboard start", and read its log when it stops again. The other checks are about this machine.',
  )
}

function settingsOf({ flags, env, cwd }: LocalDoctorOptions): LoadedPlugboardConfig | Error {
  try {
    return loadPlugboardConfig({ flags, env, cwd })
  } catch (error) {
    if (error instanceof Error && error.name === 'SettingsError') return error
    throw error
  }
}

function settingsFinding({ warnings }: LoadedPlugboardConfig): Finding {
  const [first] = warnings
  if (first === undefined) return ok('All settings are valid.')
  return warning(
    warnings.map(({ source, detail }) => `${source}: ${detail}`).join('; '),
    'Correct or remove these settings. docs/operating/settings.md lists all of them.',
  )
}

const oneLine = (text: string): string =>
  text
    .split('\n')
    .map(line => line.trim())
    .join('; ')

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])
const isLoopback = (url: string): boolean => LOOPBACK.has(new URL(url).hostname)

/** `place`: the database without user and password. */
type OpenedDatabase =
  | {
      readonly kind: 'open'
      readonly database: Database
      readonly url: string
      readonly place: string
      close(): Promise<void>
    }
  | { readonly kind: 'closed'; readonly finding: Finding; close(): Promise<void> }

async function openConfigured(config: PlugboardConfig, data: string): Promise<OpenedDatabase> {
  const closed = (finding: Finding): OpenedDatabase => ({
    kind: 'closed',
    finding,
    close: () => Promise.resolve(),
  })
  try {
    if (config.databaseUrl !== undefined) return opened(config.databaseUrl, databasePlace(config.databaseUrl))
    const folder = join(data, 'postgres')
    const running = await EmbeddedPostgres.running(folder)
    if (running !== undefined) return opened(running.url, 'embedded in Plugboard', () => running.close())
    const exists = existsSync(join(folder, 'cluster', 'PG_VERSION'))
    const text = exists
      ? `The embedded database in ${folder} is stopped, like Plugboard.`
      : `There is no embedded database in ${folder} yet: the first start creates it.`
    return closed(unknown(text, 'Start Plugboard, and run the command again.'))
  } catch (error) {
    return closed(unreachableFinding(error, 'of the settings'))
  }
}

function opened(url: string, place: string, release?: () => Promise<void>): OpenedDatabase {
  const database = openDatabase({
    url,
    applicationName: 'plugboard doctor',
    maxConnections: 2,
    statementTimeoutMs: 5_000,
  })
  const close = async (): Promise<void> => {
    await database.close()
    await release?.()
  }
  return { kind: 'open', database, url, place, close }
}

function databaseChecks(opening: Promise<OpenedDatabase>, config: PlugboardConfig): RunnableChecks {
  let facts: ReturnType<Database['serverFacts']> | undefined
  const whenOpen =
    (check: (opened: OpenedDatabase & { readonly kind: 'open' }) => Promise<Finding>) =>
    async (): Promise<Finding> => {
      const opened = await opening
      return opened.kind === 'open' ? await check(opened) : opened.finding
    }
  const read = ({ database }: { readonly database: Database }) => (facts ??= database.serverFacts(Date.now))
  return {
    'database.reachable': whenOpen(opened => checkResponse(() => read(opened), opened.place, systemClock)),
    'database.version': whenOpen(async opened => checkVersion(await read(opened))),
    'database.clock': whenOpen(async opened => checkDatabaseClock(await read(opened))),
    'database.connections': whenOpen(async opened =>
      checkConnections(await read(opened), config.databaseConnections),
    ),
    'database.replicas': whenOpen(async opened => checkReplicaRows(await read(opened))),
    'database.migrations': whenOpen(async ({ url }) => {
      try {
        return checkMigrations(await migrationStatus({ url, version: VERSION }))
      } catch (error) {
        if (!(error instanceof StartupError)) throw error
        return failed(error.message, 'Read docs/operating/backup-and-upgrade.md.')
      }
    }),
  }
}

async function portsFinding(config: PlugboardConfig): Promise<Finding> {
  const { listen, adminListen, tlsListen, peerListen, clusterSecret } = config
  const targets: readonly (readonly [readonly ListenAddress[], string])[] = [
    [listen, '--listen'],
    [[adminListen], '--admin-listen'],
    [tlsListen === undefined ? [] : [tlsListen], '--tls-listen'],
    [clusterSecret === undefined ? [] : [peerListen], '--peer-listen'],
  ]
  const problems: string[] = []
  const free: string[] = []
  for (const [addresses, flag] of targets) {
    try {
      await checkAddresses([{ addresses, flag }])
      free.push(...addresses.map(address => `${addressText(address)} (${flag})`))
    } catch (error) {
      if (!(error instanceof StartupError)) throw error
      const holders = addresses.map(({ port }) => portHolder(port)).filter(text => text !== undefined)
      problems.push([error.message, ...new Set(holders)].join(' '))
    }
  }
  if (problems.length === 0) return ok(`The ports are free: ${free.join(', ')}.`)
  return failed(
    problems.join(' '),
    'Stop the process that has the port, or choose another address with the named flag.',
  )
}
