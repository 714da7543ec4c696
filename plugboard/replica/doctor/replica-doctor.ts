// Runs the checks of `plugboard doctor` for `GET /v1/doctor`: gives each check the facts of this replica. The room plugboard/doctor
// has the checks. Each run reads everything anew, and changes no state.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DoctorBody, ReplicaBody } from '../../admin/api-types.ts'
import { listOutages } from '../../admin/live/service-outages.ts'
import { checkExpiry, checkHosts } from '../../doctor/checks/certificate-checks.ts'
import { checkRunningSettings } from '../../doctor/checks/configuration-checks.ts'
import { checkAdminKeys, checkTokens, type EndingToken } from '../../doctor/checks/credential-checks.ts'
import {
  checkConnections,
  checkDatabaseClock,
  checkMigrations,
  checkReplicaRows,
  checkResponse,
  checkVersion,
} from '../../doctor/checks/database-checks.ts'
import { checkDisk, checkEventLoop } from '../../doctor/checks/machine-checks.ts'
import { checkPublicUrl } from '../../doctor/checks/public-url-check.ts'
import { checkChanges, checkLinks } from '../../doctor/checks/replica-checks.ts'
import {
  checkEjections,
  checkHealth,
  checkRoutes,
  checkTelephones,
} from '../../doctor/checks/service-checks.ts'
import { checkTrustedProxies } from '../../doctor/checks/trusted-proxies-check.ts'
import { type Finding, failed, ok, unknown } from '../../doctor/finding.ts'
import { type RunnableChecks, runChecks } from '../../doctor/run-checks.ts'
import { VERSION } from '../../version.ts'
import type { ReplicaDatabase } from '../database/replica-database.ts'
import { AdminKeyFile } from '../files/admin-key-file.ts'
import { addressText } from '../ports/listen-error.ts'
import type { PublicPorts } from '../ports/public-ports.ts'
import type { ReplicaContext } from '../replica-context.ts'
import type { TelephoneSide } from '../telephone-side.ts'
import { downProcesses, hostsWithoutCertificate, routeFaults } from './service-facts.ts'

/** Tokens that are read. */
const MAX_TOKENS = 10_000

export interface ReplicaDoctorParts {
  readonly replica: ReplicaContext
  readonly database: ReplicaDatabase
  readonly telephones: TelephoneSide
  /** Returns the public ports, or undefined while they are not open. */
  readonly ports: () => PublicPorts | undefined
  readonly replicas: () => readonly ReplicaBody[]
}

export async function runReplicaDoctor(parts: ReplicaDoctorParts): Promise<DoctorBody> {
  const { id, clock } = parts.replica
  const items = await runChecks(checksOf(parts), clock)
  return {
    replicaId: id,
    version: VERSION,
    node: process.versions.node,
    checkedAt: new Date(clock.wallTime()).toISOString(),
    items,
  }
}

function checksOf(parts: ReplicaDoctorParts): RunnableChecks {
  const { replica, replicas, database, telephones } = parts
  const { config, limits, clock } = replica
  const { store, directory, keeper } = database
  const { lines, view: cluster } = telephones.whole
  return {
    ...databaseChecks(parts),
    ...publicChecks(parts),
    'process.running': () => runningFinding(parts),
    'configuration.settings': () => checkRunningSettings(limits.lowered),
    'database.migrations': async () => checkMigrations(await keeper.status()),
    'machine.ports': () => portsFinding(parts),
    'machine.disk': () => checkDisk(resolve(config.data)),
    'machine.eventLoop': () => checkEventLoop(clock),
    'replicas.links': () => checkLinks(replicas()),
    'replicas.changes': async () =>
      checkChanges(
        replicas(),
        directory.databaseReachable ? await store.changes.latest() : undefined,
        directory.notificationsArrive,
      ),
    'services.telephones': async () => checkTelephones(await listOutages({ directory, lines, cluster })),
    'services.health': () => checkHealth(downProcesses(directory, lines)),
    'services.ejections': async () => {
      const { missing, ...lists } = await cluster.ejections()
      return checkEjections({ ...lists, missingReplicas: missing })
    },
    'services.routes': async () => checkRoutes(await routeFaults(directory)),
    'credentials.tokens': async () => checkTokens(await activeTokens(store.tokens), clock.wallTime()),
    'credentials.adminKeys': async () => {
      const file = resolve(new AdminKeyFile(config.data).path)
      return checkAdminKeys(await store.adminKeys.countActiveAdmins(), existsSync(file) ? file : undefined)
    },
  }
}

/** All of them read the facts of one query. */
function databaseChecks({ replica, database }: ReplicaDoctorParts): RunnableChecks {
  const { config, clock } = replica
  let facts: ReturnType<typeof database.serverFacts> | undefined
  const read = () => (facts ??= database.serverFacts())
  return {
    'database.reachable': () => checkResponse(read, database.place, clock),
    'database.version': async () => checkVersion(await read()),
    'database.clock': async () => checkDatabaseClock(await read()),
    'database.connections': async () => checkConnections(await read(), config.databaseConnections),
    'database.replicas': async () => checkReplicaRows(await read()),
  }
}

/** The checks of the public ports. */
function publicChecks({ replica: { config, clock }, database, ports }: ReplicaDoctorParts): RunnableChecks {
  const whenOpen =
    (check: (opened: PublicPorts) => Finding | Promise<Finding>) => (): Finding | Promise<Finding> => {
      const opened = ports()
      return opened === undefined ? NOT_OPEN : check(opened)
    }
  return {
    'certificates.expiry': whenOpen(({ https }) => checkExpiry(https?.certificates(), clock.wallTime())),
    'certificates.hosts': whenOpen(async ({ https }) =>
      checkHosts(https && (await hostsWithoutCertificate(database.directory, host => https.covers(host)))),
    ),
    'publicUrl.instance': whenOpen(({ instanceNames }) =>
      checkPublicUrl({ publicUrl: config.publicUrl, names: instanceNames }),
    ),
    'trustedProxies.fields': whenOpen(({ proxyUses }) =>
      checkTrustedProxies(proxyUses, config.proxyProtocol),
    ),
  }
}

const NOT_OPEN = unknown('The public port is not open yet.')

function runningFinding({ replica: { lifecycle, id } }: ReplicaDoctorParts): Finding {
  switch (lifecycle.phase) {
    case 'ready':
      return ok(`Replica ${id} runs Plugboard ${VERSION} and accepts requests.`)
    case 'draining':
      return failed(
        `Replica ${id} stops, and finishes its open requests.`,
        'Start it again with "plugboard start".',
      )
    default:
      return failed(
        `Replica ${id} is ${lifecycle.phase} and accepts no requests yet.`,
        'Wait. When this state stays, read the log of Plugboard.',
      )
  }
}

function portsFinding({ replica, ports }: ReplicaDoctorParts): Finding {
  if (ports() === undefined || replica.address.opened.length === 0) return NOT_OPEN
  const texts = replica
    .listenTargets()
    .flatMap(({ addresses, flag }) => addresses.map(address => `${addressText(address)} (${flag})`))
  return ok(`The ports are open: ${texts.join(', ')}.`)
}

async function activeTokens(tokens: ReplicaDatabase['store']['tokens']): Promise<readonly EndingToken[]> {
  const found: EndingToken[] = []
  let cursor: string | undefined
  do {
    const page = await tokens.list({ active: true, limit: 500, cursor })
    found.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== undefined && found.length < MAX_TOKENS)
  return found
}
