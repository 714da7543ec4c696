// The whole stack for tests of the edge: Plugboard as a process, and a real Telephone and a recording backend in the process
// of the test, so that the test sees received bytes at once. `tight` is a second Plugboard on the same database, with small
// limits and a trusted proxy before it, because such settings would make all other tests fragile.

import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import pg from 'pg'
import { connect, type TelephoneHandle } from '../../../telephone/index.ts'
import { removeFolder, temporaryFolder } from '../../support/process/folder.ts'
import { freePort } from '../../support/process/free-port.ts'
import { Processes } from '../../support/process/processes.ts'
import { PlugboardProcess } from '../../support/programs/plugboard-process.ts'
import { RecordingBackend } from './recording-backend.ts'
import { EDGE_POLICIES, EDGE_ROUTES, LIMITED } from './rows/edge-routes.ts'

/** LIMITED of rows/edge-routes.ts as arguments, and short times. */
const TIGHT = [
  '--name',
  'tight',
  '--trusted-proxies',
  ...LIMITED.trustedProxies,
  '--max-connections-per-address',
  '2',
  '--head-timeout',
  '700ms',
  '--body-idle-timeout',
  '700ms',
  '--keep-alive-timeout',
  '1s',
  '--http2-cleartext',
  '--http2-max-streams',
  '4',
  '--allow-trace',
  '--underscore-headers',
  LIMITED.underscoreHeaders,
  '--max-head',
  String(LIMITED.limits.maxHeadBytes),
  '--max-target',
  String(LIMITED.limits.maxTargetBytes),
  '--max-headers',
  String(LIMITED.limits.maxHeaders),
  '--max-connections',
  '8',
]

export interface EdgeStackOptions {
  /** The URL of the database. Absent: the embedded database. */
  readonly databaseUrl?: string | undefined
  /** True to start the second Plugboard too. */
  readonly tight?: boolean
  /** Further arguments of the first Plugboard. */
  readonly args?: readonly string[]
}

export class EdgeStack {
  readonly processes = new Processes()
  readonly backend = new RecordingBackend()
  readonly #telephones: TelephoneHandle[] = []
  #databaseUrl: string | undefined
  folder = ''
  token = ''
  backendPort = 0
  plugboard!: PlugboardProcess
  tight: PlugboardProcess | undefined

  get port(): number {
    return this.plugboard.port
  }

  async start(options: EdgeStackOptions = {}): Promise<void> {
    this.folder = await temporaryFolder()
    this.backendPort = await this.backend.listen()
    const { databaseUrl } = options
    this.#databaseUrl = databaseUrl
    const common = { processes: this.processes, ...(databaseUrl === undefined ? {} : { databaseUrl }) }
    this.plugboard = await PlugboardProcess.start({
      ...common,
      folder: this.folder,
      // Issuers of tokens in these tests listen on loopback, which must be allowed.
      args: ['--outbound-networks', '127.0.0.1', ...(options.args ?? [])],
    })
    const dead = await freePort()
    const services = Object.keys(EDGE_POLICIES)
    for (const name of services) await this.plugboard.addService(name, EDGE_POLICIES[name])
    for (const route of EDGE_ROUTES) await this.plugboard.call('POST', '/v1/routes', route)
    this.token = (await this.plugboard.issueToken({ services: ['*'], mounts: ['*'] })).token
    const served = services
      .filter(name => !['nobody', 'held', 'faked'].includes(name))
      .map(service => ({
        service,
        target: service === 'dead' ? dead : this.backendPort,
        ...(service === 'scarce' && { maxConnections: 8 }),
      }))
    await this.#connect(this.plugboard, served)
    if (options.tight !== true) return
    const folder = `${this.folder}/tight`
    await mkdir(folder)
    this.tight = await PlugboardProcess.start({ ...common, folder, args: TIGHT })
    await this.#connect(this.tight, served)
  }

  /** Writes into the database without the admin API, as a newer version may do. */
  async sql(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.#databaseUrl })
    await client.connect()
    await client.query(statement)
    await client.end()
  }

  /** Returns the peak memory of the Plugboard process in bytes. Undefined when the system does not report it. */
  get peakMemoryBytes(): number | undefined {
    const status = readFileSync(`/proc/${this.plugboard.child.pid}/status`, 'latin1')
    const match = /VmHWM:\s+(\d+) kB/.exec(status)
    return match === null ? undefined : Number(match[1]) * 1024
  }

  async #connect(
    plugboard: PlugboardProcess,
    services: { service: string; target: number }[],
  ): Promise<void> {
    const { token } = this
    const name = `edge-${this.#telephones.length}`
    this.#telephones.push(
      await connect({ plugboard: plugboard.url, token, name, tunnels: 1, followReplicas: false, services }),
    )
  }

  async stop(): Promise<void> {
    const problems: unknown[] = []
    const note = (error: unknown) => problems.push(error)
    await Promise.all(this.#telephones.map(telephone => telephone.close(0))).catch(note)
    await this.processes.stopAll().catch(note)
    await this.backend.close().catch(note)
    const left = this.folder === '' ? [] : await removeFolder(this.folder)
    if (left.length > 0) problems.push(new Error(`processes were left behind: ${left.join(', ')}`))
    if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join('\n'))
  }
}
