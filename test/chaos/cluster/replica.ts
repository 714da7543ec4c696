// One Plugboard process of the cluster. It keeps its ports over restarts. A relay is before its peer port and another one
// before Postgres, so that a test can cut it off silently.

import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Relay } from '../../support/http/relay.ts'
import { freePort } from '../../support/process/free-port.ts'
import type { Processes } from '../../support/process/processes.ts'
import { PlugboardProcess } from '../../support/programs/plugboard-process.ts'

const SECRET = 'a secret of the cluster of chaos'
/** The time of three checks of the load balancer. */
const STOP_DELAY = '1600ms'

export interface ReplicaOptions {
  readonly name: string
  readonly processes: Processes
  /** The folder of the whole run. */
  readonly folder: string
  /** The path of the socket of Postgres, which exists while Postgres runs. */
  readonly databaseSocket: string
  readonly databasePassword: string
  /** The file to run. Undefined: the source. */
  readonly program: string | undefined
  /** The file with the admin key that the first replica has created. Undefined: this is the first replica. */
  readonly adminKeyFile: string | undefined
}

/** The response to `GET /v1/replicas`. */
export interface ReplicasView {
  readonly items: readonly {
    readonly id: string
    readonly self: boolean
    readonly link: 'open' | 'accepted' | 'none' | null
    readonly leaseMs: number | null
    readonly lines: number
    readonly tunnels: number
    readonly disagreements: readonly string[]
  }[]
  readonly lines: readonly { readonly service: string; readonly replicas: Readonly<Record<string, number>> }[]
}

export class Replica {
  readonly name: string
  readonly port: number
  readonly adminPort: number
  /** The relay before its peer port. */
  readonly peers: Relay
  /** The relay before Postgres. */
  readonly database: Relay
  readonly #options: ReplicaOptions
  readonly #peerPort: number
  #process: PlugboardProcess | undefined

  private constructor(
    options: ReplicaOptions,
    ports: readonly [number, number, number],
    peers: Relay,
    database: Relay,
  ) {
    this.#options = options
    this.name = options.name
    ;[this.port, this.adminPort, this.#peerPort] = ports
    this.peers = peers
    this.database = database
  }

  static async create(options: ReplicaOptions): Promise<Replica> {
    const ports = [await freePort(), await freePort(), await freePort()] as const
    const peers = await Relay.listen({ targetPort: ports[2], callerOf })
    const database = await Relay.listen({ targetPath: options.databaseSocket })
    return new Replica(options, ports, peers, database)
  }

  get process(): PlugboardProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was never started`)
    return this.#process
  }

  get folder(): string {
    return join(this.#options.folder, this.name)
  }

  get adminKeyFile(): string {
    return join(this.folder, 'data/secrets/admin.key')
  }

  /** Starts the process, and resolves when it is ready. */
  async start(): Promise<void> {
    const { processes, program, adminKeyFile, databasePassword } = this.#options
    await mkdir(join(this.folder, 'data/secrets'), { recursive: true, mode: 0o700 })
    if (adminKeyFile !== undefined) await copyFile(adminKeyFile, this.adminKeyFile)
    this.#process = await PlugboardProcess.start({
      processes,
      folder: this.folder,
      port: this.port,
      adminPort: this.adminPort,
      databaseUrl: `postgres://plugboard:${databasePassword}@127.0.0.1:${this.database.port}/plugboard`,
      ...(program === undefined ? {} : { program }),
      args: [
        '--name',
        this.name,
        '--cluster-secret',
        SECRET,
        '--no-access-log',
        '--stop-delay',
        STOP_DELAY,
        '--peer-listen',
        `127.0.0.1:${this.#peerPort}`,
        '--peer-url',
        `http://127.0.0.1:${this.peers.port}`,
        '--telephone-url',
        `http://127.0.0.1:${this.port}`,
      ],
    })
  }

  view(): Promise<ReplicasView> {
    return this.process.call<ReplicasView>('GET', '/v1/replicas')
  }

  /** Resolves with the Telephones whose tunnels end at this replica, once for each tunnel that has a line. */
  async telephones(): Promise<{ readonly name: string; readonly instance: string }[]> {
    const rows = await this.process.telephones()
    return (rows as { name: string; instance: string; services: unknown[]; replicaId: string }[]).filter(
      ({ services, replicaId }) => services.length > 0 && replicaId === this.name,
    )
  }

  status(): Promise<{ readonly database: string; readonly appliedSequence: number }> {
    return this.process.call('GET', '/v1/status')
  }

  async close(): Promise<void> {
    await this.peers.close()
    await this.database.close()
  }
}

/** Returns the replica that dials, from the token in its request head. The other replica verifies the token. */
function callerOf(first: Buffer): string {
  const payload = /^authorization: bearer [\w-]+\.([\w-]+)\./im.exec(first.toString('latin1'))?.[1] ?? ''
  const claims: unknown = payload === '' ? {} : JSON.parse(Buffer.from(payload, 'base64url').toString())
  return String((claims as { sub?: unknown }).sub ?? '')
}
