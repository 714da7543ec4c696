// Starts and stops the parts of `plugboard dev`: Plugboard, the secrets, the routes of the first start, the welcome app, and a
// Telephone. Each is the real part, connected to the others as a user would connect it.

import { resolve } from 'node:path'
import { decodeClaims, TOKEN_ISSUER } from '@vera-stack/shared/claims.ts'
import { systemClock } from '@vera-stack/shared/clock.ts'
import type { Log } from '@vera-stack/shared/log.ts'
import { asTokenId } from '../common/ids/row-ids.ts'
import { isJsonObject } from '../common/json.ts'
import type { LoadedPlugboardConfig, PlugboardConfig } from '../config.ts'
import { AdminKeyFile } from '../replica/files/admin-key-file.ts'
import { SecretsFolder } from '../replica/files/secrets-folder.ts'
import { Plugboard } from '../replica/plugboard.ts'
import { type BannerPlace, banner, nextCommands } from './banner.ts'
import { localUrl, networkAddress, reachOf } from './reachable-addresses.ts'
import { TelephoneChild, telephoneProgram } from './telephone-child.ts'
import { startWelcomeApp, type WelcomeApp } from './welcome-app.ts'

/** The name of the service behind http://localhost. */
const SERVICE = 'dev'
const MOUNTS = ['localhost', '127.0.0.1', '[::1]']
/** The mount for --lan. It covers all hosts, because other machines may use any address or name of this machine. */
const LAN_MOUNT = '*'
const ACTOR = 'plugboard dev'
const TELEPHONE_TOKEN_FILE = 'telephone.jwt'
/** The time for the Telephone to connect, ms. A machine under load takes seconds. */
const CONNECT_DEADLINE_MS = 20_000
const TOKEN_TTL_SECONDS = 365 * 24 * 3600
/** The inspector runs for its longest time from each start. */
const INSPECT_MS = 24 * 3600 * 1000
/** A token that expires within this time is replaced at the start. */
const TOKEN_MARGIN_SECONDS = 24 * 3600

export interface DevStackOptions {
  readonly config: PlugboardConfig
  readonly sources: LoadedPlugboardConfig['sources']
  readonly log: Log
  /** The target to expose instead of the welcome app: a port, `host:port` or a URL. */
  readonly expose: string | undefined
  /** True when other machines of the network may connect. */
  readonly lan: boolean
  /** Aborts a start in progress. */
  readonly signal: AbortSignal
  /** The base of relative paths in the settings. */
  readonly cwd: string
}

export class DevStack {
  readonly banner: string
  readonly #plugboard: Plugboard
  readonly #telephone: TelephoneChild
  readonly #welcome: WelcomeApp | undefined

  private constructor(
    banner: string,
    plugboard: Plugboard,
    telephone: TelephoneChild,
    welcome: WelcomeApp | undefined,
  ) {
    this.banner = banner
    this.#plugboard = plugboard
    this.#telephone = telephone
    this.#welcome = welcome
  }

  get phase(): Plugboard['phase'] {
    return this.#plugboard.phase
  }

  get publicUrl(): string {
    return this.#plugboard.publicUrl
  }

  get adminPort(): number {
    return this.#plugboard.adminPort
  }

  static async start(options: DevStackOptions): Promise<DevStack> {
    const { config, sources, log, expose, lan, cwd, signal } = options
    const portFlags = { listen: '--port', adminListen: '--admin-port' }
    const plugboard = await Plugboard.start({ config, sources, log, portFlags, signal })
    let welcome: WelcomeApp | undefined
    let telephone: TelephoneChild | undefined
    try {
      const secrets = new SecretsFolder(config.data)
      await ensureTelephoneToken(plugboard, secrets)
      await ensureRoutes(plugboard, lan ? [...MOUNTS, LAN_MOUNT] : MOUNTS)
      const place: BannerPlace = {
        publicPort: plugboard.publicPort,
        reach: lan ? 'network' : reachOf(plugboard.publicAddresses),
        networkAddress: lan ? networkAddress() : undefined,
        adminPort: plugboard.adminPort,
        dashboardPath: await plugboard.dashboardPath(),
        data: resolve(cwd, config.data),
        adminKeyFile: resolve(cwd, new AdminKeyFile(config.data).path),
        tokenFile: resolve(cwd, secrets.file(TELEPHONE_TOKEN_FILE)),
        telephoneProgram: await telephoneProgram(),
      }
      welcome = expose === undefined ? await startWelcomeApp(nextCommands(place), log) : undefined
      telephone = await TelephoneChild.start({
        args: [
          expose ?? String(welcome?.port),
          // The welcome app runs in this process, so its connections are open files of Plugboard.
          ...(expose === undefined ? ['--max-connections', '16'] : []),
          '--service',
          SERVICE,
          '--name',
          `plugboard-dev-${SERVICE}`,
          '--plugboard',
          localUrl(plugboard.publicAddresses),
          '--token-file',
          secrets.file(TELEPHONE_TOKEN_FILE),
        ],
        log,
      })
      await plugboard.untilConnected(SERVICE, CONNECT_DEADLINE_MS)
      return new DevStack(banner(place, expose), plugboard, telephone, welcome)
    } catch (error) {
      await telephone?.stop()
      await welcome?.close()
      await plugboard.stop()
      throw error
    }
  }

  /** Stops Plugboard first, because its open requests still need the Telephone and the welcome app. */
  async stop(): Promise<void> {
    await this.#plugboard.stop()
    await this.#telephone.stop()
    await this.#welcome?.close()
  }
}

/** Writes a new token to the token file, unless the token in the file is valid for a longer time. */
async function ensureTelephoneToken(plugboard: Plugboard, secrets: SecretsFolder): Promise<void> {
  const existing = await secrets.read(TELEPHONE_TOKEN_FILE)
  if (existing !== undefined && (await isGood(plugboard, existing))) return
  const request = { name: 'dev', services: ['*'], mounts: ['*'], ttlSeconds: TOKEN_TTL_SECONDS }
  const { token } = await plugboard.tokens.issue(request, { actor: ACTOR })
  await secrets.write(TELEPHONE_TOKEN_FILE, token)
}

async function isGood(plugboard: Plugboard, token: string): Promise<boolean> {
  const claims = decodeClaims(token)
  if (claims?.iss !== TOKEN_ISSUER) return false
  if (claims.exp - systemClock.wallTime() / 1000 < TOKEN_MARGIN_SECONDS) return false
  const row = await plugboard.store.tokens.find(asTokenId(claims.jti))
  return row !== undefined && row.revokedAt === null
}

/** Creates the service and its mounts if they never existed, and turns its inspector on. A row that a person has deleted stays deleted. */
async function ensureRoutes({ store }: Plugboard, mounts: readonly string[]): Promise<void> {
  const by = { actor: ACTOR }
  const { items } = await store.services.list({ q: SERVICE, includeDeleted: true, limit: 500 })
  if (!items.some(service => service.name === SERVICE)) await store.services.create({ name: SERVICE }, by)
  const service = await store.services.find(SERVICE)
  if (service === undefined) return
  const until = new Date(systemClock.wallTime() + INSPECT_MS).toISOString()
  const inspect = { ...(isJsonObject(service.policy.inspect) ? service.policy.inspect : {}), until }
  await store.services.update(service.id, { policy: { ...service.policy, inspect } }, by)
  for (const mount of mounts) {
    const before = await store.routes.list({ host: mount, includeDeleted: true, limit: 1 })
    if (before.items.length === 0) await store.routes.create({ mount, service: SERVICE }, by)
  }
}
