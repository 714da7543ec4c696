// The cluster of the pictures: three replicas, telephones with their backends, 40 services, traffic, changes, keys and tokens.

import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { EmbeddedPostgres } from '../../plugboard/database/embedded/embedded-postgres.ts'
import { eventually } from '../support/deadline.ts'
import { removeFolder, temporaryFolder } from '../support/process/folder.ts'
import { ClusterStack } from '../support/programs/cluster.ts'
import { cleanEnvironment } from '../support/programs/plugboard-process.ts'
import { type Random, seededRandom } from '../support/seeded-random.ts'
import { Backends } from './backends.ts'
import { FAILING_TELEPHONE, type PicturedService, SERVICES, TELEPHONES } from './catalogue.ts'

const TELEPHONE = join(import.meta.dirname, '../../telephone/main.ts')
const REPLICAS = 3
/** The time between two looks at the services whose next request is due, ms. */
const TICK_MS = 50
const INSPECT_MS = 3_600_000
const PATHS = ['/', '/items', '/items/4711', '/orders?page=2', '/health', '/session'] as const

export class Company {
  readonly #stack = new ClusterStack({
    replicaArgs: ['--environment-name', 'production', '--environment-color', 'violet', '--no-access-log'],
  })
  readonly #backends = new Backends()
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 40 })
  readonly #random: Random = seededRandom(7)
  #postgres: EmbeddedPostgres | undefined
  #folder = ''
  #traffic: NodeJS.Timeout | undefined

  get adminUrl(): string {
    return `http://127.0.0.1:${this.#first.adminPort}`
  }

  async adminKey(): Promise<string> {
    return await this.#first.adminKey()
  }

  get #first() {
    const [first] = this.#stack.replicas
    if (first === undefined) throw new Error('the cluster has not started')
    return first
  }

  async start(): Promise<void> {
    this.#folder = await temporaryFolder('vera-pictures-')
    const folder = join(this.#folder, 'postgres')
    this.#postgres = await EmbeddedPostgres.start({ folder, durable: false, log: silentLogger })
    await this.#backends.start()
    await this.#stack.start(REPLICAS, { url: this.#postgres.url, drop: async () => undefined })
    await this.#stack.untilLinked()
    await this.#addRows()
    await Promise.all(TELEPHONES.map((name, index) => this.#startTelephone(name, index % REPLICAS)))
    await this.#untilConnected()
    this.#startTraffic()
    await this.#untilMeasured()
    await this.#changeRows()
  }

  async #addRows(): Promise<void> {
    const bundle = {
      version: 1,
      services: SERVICES.map(({ name, policy = {} }) => ({ name, policy })),
      routes: SERVICES.map(({ name, mount, options = {} }) => ({ mount, service: name, options })),
    }
    await this.#first.call('PUT', '/v1/bundle', bundle)
    const until = new Date(Date.now() + INSPECT_MS).toISOString()
    await this.#first.call('PATCH', '/v1/services/checkout', {
      policy: { outlier: { consecutive: 3 }, inspect: { until } },
    })
    const others = [
      { mount: 'example.com', options: { redirect: { to: 'https://www.example.com', status: 308 } } },
      { mount: 'status.example.com', options: { respond: { status: 200, body: 'ok' } } },
    ]
    for (const route of others) await this.#first.call('POST', '/v1/routes', route)
    for (const [name, ttl] of [
      ['fra', '90d'],
      ['iad', '60d'],
      ['lab', '2d'],
      ['trade-fair', '20h'],
      ['partner-acme', '365d'],
    ] as const)
      await this.#first.issueToken({
        name,
        services: ['checkout', 'storefront'],
        mounts: ['*.example.com'],
        ttl,
      })
    const keys = [
      { name: 'deploy pipeline', scopes: ['routes:*', 'services:*'] },
      { name: 'prometheus', scopes: ['metrics:read'] },
      { name: 'portal', scopes: ['status:read'], ttl: '12h' },
    ]
    for (const key of keys) await this.#first.call('POST', '/v1/keys', key)
    await this.#first.untilApplied()
  }

  async #startTelephone(name: string, replica: number): Promise<void> {
    const services = SERVICES.filter(({ telephones }) => telephones.includes(name))
    const file = join(this.#folder, `${name}.yaml`)
    const targetOf = ({ backend }: PicturedService): number =>
      this.#backends.portOf(name === FAILING_TELEPHONE ? 'failing' : backend)
    const lines = services.map(each => `  - service: ${each.name}\n    target: ${targetOf(each)}\n`)
    const { url } = this.#stack.replicas[replica]!
    await writeFile(file, `plugboard: [${url}]\nname: ${name}\nservices:\n${lines.join('')}`)
    const env = cleanEnvironment({ TELEPHONE_TOKEN: this.#stack.token })
    this.#stack.processes.node(`telephone ${name}`, [TELEPHONE, 'start', '--config', file], { env })
  }

  async #untilConnected(): Promise<void> {
    await eventually(
      'all telephones are connected',
      async () => {
        const { items } = await this.#first.call<{ items: { name: string }[] }>(
          'GET',
          '/v1/telephones?limit=200',
        )
        return new Set(items.map(({ name }) => name)).size === TELEPHONES.length || undefined
      },
      60_000,
    )
  }

  #startTraffic(): void {
    const due = new Map(
      SERVICES.map(({ name, rate }) => [name, performance.now() + (1000 * this.#random()) / rate]),
    )
    this.#traffic = setInterval(() => {
      const now = performance.now()
      for (const service of SERVICES) {
        if ((due.get(service.name) ?? 0) > now) continue
        due.set(service.name, now + (500 + 1000 * this.#random()) / service.rate)
        this.#send(service)
      }
    }, TICK_MS)
  }

  #send({ mount }: PicturedService): void {
    const slash = mount.indexOf('/')
    const host = slash === -1 ? mount : mount.slice(0, slash)
    const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(this.#random() * items.length)]!
    const headers = { host, 'x-api-key': pick(['acme', 'globex', 'initech']) }
    const { port } = pick(this.#stack.replicas)
    const path = (slash === -1 ? '' : mount.slice(slash)) + pick(PATHS)
    const sent = request({
      port,
      path,
      headers,
      agent: this.#agent,
      method: pick(['GET', 'GET', 'GET', 'POST']),
    })
    // Requests in flight at the stop fail.
    sent.on('error', () => undefined)
    sent.on('response', response => response.resume())
    sent.end()
  }

  /** Resolves when a process is ejected, and the charts have some points. */
  async #untilMeasured(): Promise<void> {
    await eventually(
      'a process is ejected, and there are 20 seconds of traffic',
      async () => {
        const { items } = await this.#first.call<{ items: unknown[] }>('GET', '/v1/ejections')
        const { success } = await this.#first.call<{ success: (number | null)[] }>(
          'GET',
          '/v1/traffic?resolution=1&points=60',
        )
        return (items.length > 0 && success.filter(value => value !== null).length >= 20) || undefined
      },
      60_000,
    )
  }

  /** Makes changes whose marks are in the charts. */
  async #changeRows(): Promise<void> {
    const patch = (path: string, body: object) => this.#first.call('PATCH', path, body)
    await patch('/v1/services/cart', { policy: { retries: 1 } })
    await patch('/v1/services/payments', { policy: { outlier: { consecutive: 3, maxEjectedPercent: 30 } } })
    await this.#first.addRoute('beta.example.com', 'storefront')
    await this.#first.call('DELETE', '/v1/routes/beta.example.com')
    await this.#first.addRoute('m.example.com', 'storefront')
  }

  async stop(): Promise<void> {
    clearInterval(this.#traffic)
    this.#agent.destroy()
    await this.#stack.stop()
    this.#backends.stop()
    await this.#postgres?.stop()
    await removeFolder(this.#folder)
  }
}
