// The tested cluster: Postgres, three replicas, and ten Telephones with their backends. This file starts, stops and observes
// them. The schedule decides when each incident happens.

import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { EmbeddedPostgres } from '../../../plugboard/database/embedded/embedded-postgres.ts'
import { eventually } from '../../support/deadline.ts'
import { processesIn, removeFolder, temporaryFolder } from '../../support/process/folder.ts'
import { Processes } from '../../support/process/processes.ts'
import { ChaosBackend } from './backend.ts'
import { Replica } from './replica.ts'
import { TelephonePlace } from './telephone-place.ts'

/** The number of Telephones of each service. A service with several Telephones stays available without one of them. */
export const SERVICES: Readonly<Record<string, number>> = { solo: 1, lone: 1, pair: 2, trio: 3, three: 3 }
const REPLICAS = 3
/** Each Telephone holds two tunnels. */
const TUNNELS = 2
/** A Telephone that has met a dead replica avoids it for a minute. */
const SETTLE_MS = 120_000

/** A wait that is longer than this is printed, ms. */
const LONG_MS = 15_000

/** The bundles that run instead of the sources. */
export interface Programs {
  readonly plugboard?: string
  readonly telephone?: string
}

export class ChaosCluster {
  readonly replicas: Replica[] = []
  readonly telephones: TelephonePlace[] = []
  readonly processes = new Processes()
  readonly #programs: Programs
  readonly #say: (text: string) => void
  #folder = ''
  #token = ''
  #postgres: EmbeddedPostgres | undefined

  /** Kills all processes of the run when this process exits early. */
  readonly #killAll = (): void => {
    for (const { pid } of processesIn(this.#folder)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch (error) {
        // The process has ended together with one that was killed before it.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
  }

  /** `say` prints the reason why the cluster is not complete, when the wait for it is long. */
  constructor(programs: Programs, say: (text: string) => void) {
    this.#programs = programs
    this.#say = say
  }

  async start(): Promise<void> {
    this.#folder = await temporaryFolder('vera-chaos-')
    process.once('exit', this.#killAll)
    await this.startPostgres()
    for (let number = 1; number <= REPLICAS; number += 1) await this.#addReplica(`replica-${number}`)
    const first = this.replicas[0]!.process
    for (const service of Object.keys(SERVICES)) await first.addService(service)
    this.#token = (await first.issueToken({ services: ['*'] })).token
    for (const [service, count] of Object.entries(SERVICES)) {
      for (let number = 1; number <= count; number += 1) await this.#addTelephone(service, number)
    }
    await this.settled()
  }

  async startPostgres(): Promise<void> {
    const folder = join(this.#folder, 'postgres')
    this.#postgres = await EmbeddedPostgres.start({ folder, durable: false, log: silentLogger })
  }

  async stopPostgres(): Promise<void> {
    await this.#postgres?.stop()
    this.#postgres = undefined
  }

  launch(telephone: TelephonePlace): void {
    telephone.launch(this.replicas, this.#token)
  }

  replica(name: string): Replica {
    const found = this.replicas.find(replica => replica.name === name)
    if (found === undefined) throw new Error(`unknown replica ${name}`)
    return found
  }

  others(replica: Replica): Replica[] {
    return this.replicas.filter(other => other !== replica)
  }

  /** Resolves with the number of lines of a service in the registry of a replica. */
  async linesOf(replica: Replica, service: string): Promise<number> {
    const lines = (await replica.view()).lines.find(row => row.service === service)
    return Object.values(lines?.replicas ?? {}).reduce((sum, count) => sum + count, 0)
  }

  /** Resolves with the processes of a Telephone that have a line on any replica, once for each tunnel. */
  async instancesOf(telephone: TelephonePlace): Promise<string[]> {
    const rows = await Promise.all(this.replicas.map(replica => replica.telephones()))
    return rows
      .flat()
      .filter(({ name }) => name === telephone.name)
      .map(({ instance }) => instance)
  }

  /** Resolves when replicas are linked and agree, and each Telephone has its tunnels on different replicas. */
  settled(): Promise<true> {
    const sinceMs = performance.now()
    let told = ''
    return eventually(
      'the cluster is complete',
      async () => {
        const missing = await this.#missing()
        if (missing === '') return true as const
        if (missing !== told && performance.now() - sinceMs > LONG_MS) {
          told = missing
          this.#say(`  not yet: ${missing}`)
        }
        throw new Error(missing)
      },
      SETTLE_MS,
    )
  }

  /** Returns the output of each process, with its name. */
  outputs(): string {
    return this.processes.all.map(({ name, pid, output }) => `==== ${name} ${pid}\n${output}\n`).join('')
  }

  async stop(): Promise<void> {
    process.off('exit', this.#killAll)
    const problems: unknown[] = []
    const note = (error: unknown): void => void problems.push(error)
    await this.processes.stopAll().catch(note)
    for (const replica of this.replicas) await replica.close().catch(note)
    for (const telephone of this.telephones) await telephone.closeBackend().catch(note)
    await this.stopPostgres().catch(note)
    const left = this.#folder === '' ? [] : await removeFolder(this.#folder)
    if (left.length > 0) problems.push(new Error(`processes were left behind: ${left.join(', ')}`))
    if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join('\n'))
  }

  async #missing(): Promise<string> {
    const homes = new Map(this.telephones.map(({ name }) => [name, [] as string[]]))
    for (const replica of this.replicas) {
      const { items, lines } = await replica.view()
      const known = items.filter(({ self }) => !self)
      if (known.length !== REPLICAS - 1) return `${replica.name} lists ${known.length} other replicas`
      for (const { id, link, disagreements } of known) {
        if (link !== 'open') return `${replica.name} has no link to ${id}`
        // Routes are edited all the time, so a replica is often a few changes ahead of the last report.
        const [first] = disagreements.filter(text => !/ changes? /.test(text))
        if (first !== undefined) return `${replica.name} and ${id}: ${first}`
      }
      for (const [service, count] of Object.entries(SERVICES)) {
        const counts = Object.values(lines.find(row => row.service === service)?.replicas ?? {})
        const sum = counts.reduce((total, each) => total + each, 0)
        if (sum !== count * TUNNELS) return `${replica.name} has ${sum} lines of ${service}`
      }
      if ((await replica.status()).database !== 'reachable')
        return `${replica.name} does not reach the database`
      for (const { name } of await replica.telephones()) homes.get(name)?.push(replica.name)
    }
    for (const [name, at] of homes) {
      if (at.length !== TUNNELS || new Set(at).size !== TUNNELS) return `${name} is at ${at.join(', ')}`
    }
    return ''
  }

  async #addReplica(name: string): Promise<void> {
    const url = new URL(this.#postgres!.url.replace('@/', '@socket/'))
    const replica = await Replica.create({
      name,
      processes: this.processes,
      folder: this.#folder,
      program: this.#programs.plugboard,
      databaseSocket: join(url.searchParams.get('host') ?? '', '.s.PGSQL.5432'),
      databasePassword: url.password,
      adminKeyFile: this.replicas[0]?.adminKeyFile,
    })
    this.replicas.push(replica)
    await replica.start()
  }

  async #addTelephone(service: string, number: number): Promise<void> {
    const name = `${service}-${number}`
    const backend = await ChaosBackend.start(service, name)
    const { processes } = this
    const program = this.#programs.telephone
    const telephone = new TelephonePlace({ name, service, backend, processes, program, folder: this.#folder })
    this.telephones.push(telephone)
    this.launch(telephone)
  }
}
