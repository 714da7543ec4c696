// Several Plugboard processes on one real Postgres, with Telephones, for e2e and chaos tests of a cluster. Links between
// replicas can go through relays.

import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { Backend } from '../backend/backend-process.ts'
import { eventually } from '../deadline.ts'
import { Relay } from '../http/relay.ts'
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.ts'
import { removeFolder, temporaryFolder } from '../process/folder.ts'
import { freePort } from '../process/free-port.ts'
import { Processes } from '../process/processes.ts'
import { type PlugboardOptions, PlugboardProcess } from './plugboard-process.ts'
import { HOST, SERVICE } from './stack.ts'
import { type TelephoneOptions, TelephoneProcess } from './telephone-process.ts'

export const SECRET = 'a secret of the cluster of tests'

export interface ReplicaPlace {
  readonly name: string
  readonly port: number
  readonly adminPort: number
  readonly peerPort: number
}

export interface ClusterOptions {
  /** True when replicas dial each other through relays, so that a test can break a link without stopping a process. */
  readonly withRelays?: boolean
  /** Further flags of each replica. */
  readonly replicaArgs?: readonly string[]
}

export class ClusterStack {
  readonly processes = new Processes()
  readonly places: ReplicaPlace[] = []
  /** The relay before the peer port of each replica, when requested. */
  readonly relays: Relay[] = []
  readonly #withRelays: boolean
  readonly #replicaArgs: readonly string[]
  readonly replicas: PlugboardProcess[] = []
  folder = ''
  token = ''
  backend!: Backend
  #database: Pick<TestDatabase, 'url' | 'drop'> | undefined

  constructor(options: ClusterOptions = {}) {
    this.#withRelays = options.withRelays ?? false
    this.#replicaArgs = options.replicaArgs ?? []
  }

  get databaseUrl(): string {
    return this.#database!.url
  }

  /** `database`: an empty database. Default: a database of the test server. */
  async start(count: number, database?: Pick<TestDatabase, 'url' | 'drop'>): Promise<void> {
    this.folder = await temporaryFolder()
    this.#database = database ?? (await createTestDatabase())
    this.backend = await Backend.start(this.processes)
    for (let index = 0; index < count; index += 1) await this.addReplica()
    const [first] = this.replicas
    await first!.addService(SERVICE)
    await first!.addRoute(HOST, SERVICE)
    this.token = (await first!.issueToken({ services: ['*'], mounts: ['*'] })).token
  }

  async addReplica(): Promise<PlugboardProcess> {
    const [port, adminPort, peerPort] = [await freePort(), await freePort(), await freePort()]
    this.places.push({ name: `replica-${this.places.length + 1}`, port, adminPort, peerPort })
    if (this.#withRelays) this.relays.push(await Relay.listen({ targetPort: peerPort }))
    return await this.startReplica(this.places.length - 1)
  }

  /** Starts a stopped replica again, with the same name, ports and data. `secrets`: another clusterSecret. */
  async startReplica(
    index: number,
    { secrets = [SECRET], ...options }: Partial<PlugboardOptions> & { secrets?: readonly string[] } = {},
  ): Promise<PlugboardProcess> {
    const { name, port, adminPort, peerPort } = this.places[index]!
    const replica = await PlugboardProcess.start({
      processes: this.processes,
      folder: await this.#folderOf(name),
      databaseUrl: this.databaseUrl,
      port,
      adminPort,
      ...options,
      args: [
        '--name',
        name,
        '--cluster-secret',
        secrets.join(','),
        '--peer-listen',
        `127.0.0.1:${peerPort}`,
        '--telephone-url',
        `http://127.0.0.1:${port}`,
        ...(this.relays[index] ? ['--peer-url', `http://127.0.0.1:${this.relays[index].port}`] : []),
        ...this.#replicaArgs,
        ...(options.args ?? []),
      ],
    })
    this.replicas[index] = replica
    return replica
  }

  startTelephone(index: number, options: Partial<TelephoneOptions> = {}): Promise<TelephoneProcess> {
    return TelephoneProcess.start({
      processes: this.processes,
      plugboard: this.replicas[index]!,
      target: this.backend.port,
      token: this.token,
      service: SERVICE,
      ...options,
    })
  }

  /** Resolves with the states of all replicas, from the API of this replica. */
  async status(index: number): Promise<Record<string, unknown>[]> {
    return (await this.replicas[index]!.call<{ items: Record<string, unknown>[] }>('GET', '/v1/replicas'))
      .items
  }

  async untilLinked(): Promise<void> {
    await eventually('all replicas are linked', async () => {
      for (const index of this.replicas.keys()) {
        const rows = await this.status(index)
        if (rows.length !== this.replicas.length) return undefined
        if (!rows.every(({ self, link }) => self || link === 'open')) return undefined
      }
      return true
    })
  }

  /** Resolves when all replicas together report this number of tunnels. */
  async untilTunnels(count: number): Promise<void> {
    await eventually(`${count} tunnels`, async () => {
      let tunnels = 0
      for (const index of this.replicas.keys()) {
        const self = (await this.status(index)).find(row => row.self)
        tunnels += Number(self?.tunnels)
      }
      return tunnels === count ? true : undefined
    })
  }

  /** The first replica of a cluster creates the admin key. The other replicas get a copy. */
  async #folderOf(name: string): Promise<string> {
    const folder = join(this.folder, name)
    const secrets = join(folder, 'data/secrets')
    await mkdir(secrets, { recursive: true, mode: 0o700 })
    const first = this.replicas[0]
    if (first !== undefined && first.folder !== folder) {
      await copyFile(join(first.folder, 'data/secrets/admin.key'), join(secrets, 'admin.key'))
    }
    return folder
  }

  async stop(): Promise<void> {
    const problems: unknown[] = []
    const note = (error: unknown) => problems.push(error)
    await this.processes.stopAll().catch(note)
    await Promise.all(this.relays.map(relay => relay.close())).catch(note)
    await this.#database?.drop().catch(note)
    const left = await removeFolder(this.folder)
    if (left.length > 0) problems.push(new Error(`processes were left behind: ${left.join(', ')}`))
    if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join('\n'))
  }
}

export function useCluster(count: number, options: ClusterOptions = {}): ClusterStack {
  const stack = new ClusterStack(options)
  beforeAll(() => stack.start(count))
  afterAll(() => stack.stop())
  return stack
}
