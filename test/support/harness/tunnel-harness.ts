// The public side of Plugboard in the process of the test: real Postgres, directory, tokens, tunnels over real WebSockets and
// the public port. It has all parts of plugboard.ts except the admin API.

import type { TokenLimits } from '@vera-stack/shared/claims.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { TUNNEL_WEBSOCKET_OPTIONS, webSocketTransport } from '@vera-stack/shared/net/websocket-transport.ts'
import type { SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import { SUBPROTOCOL } from '@vera-stack/shared/protocol/wire/version.ts'
import { WebSocket } from 'ws'
import { asReplicaId } from '../../../plugboard/common/ids/replica-id.ts'
import type { Database } from '../../../plugboard/database/database.ts'
import { Via } from '../../../plugboard/proxy/edge/via.ts'
import { ProxyServer } from '../../../plugboard/proxy/server.ts'
import { Registry } from '../../../plugboard/registry/registry.ts'
import { createDirectory, type Directory } from '../../../plugboard/routes/directory.ts'
import { LinePicker } from '../../../plugboard/telephones/picker/line-picker.ts'
import { Switchboard, type SwitchboardOptions } from '../../../plugboard/telephones/switchboard.ts'
import {
  Authenticator,
  type AuthenticatorOptions,
} from '../../../plugboard/telephones/tokens/authenticate.ts'
import { TokenIssuer } from '../../../plugboard/telephones/tokens/tokens.ts'
import { TunnelEndpoint } from '../../../plugboard/telephones/tunnel-endpoint.ts'
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.ts'
import { FakeTelephone } from './fake-telephone.ts'

const IDENTITY = { agent: 'plugboard/test', name: 'plugboard', instance: 'plugboard-1', startedAt: 1 }

export interface TunnelHarnessOptions {
  readonly switchboard?: Partial<SwitchboardOptions>
  readonly authenticator?: Partial<AuthenticatorOptions>
}

export interface DialOptions {
  readonly name?: string
  readonly instance?: string
  readonly startedAt?: number
  readonly limits?: Partial<SessionLimits>
}

export class TunnelHarness {
  readonly testDatabase: TestDatabase
  readonly database: Database
  readonly directory: Directory
  readonly registry = new Registry()
  readonly issuer: TokenIssuer
  readonly switchboard: Switchboard
  readonly picker: LinePicker
  readonly proxy: ProxyServer
  port = 0

  private constructor(testDatabase: TestDatabase, options: TunnelHarnessOptions) {
    this.testDatabase = testDatabase
    this.database = testDatabase.open()
    const { store } = this.database
    const log = silentLogger
    this.directory = createDirectory({ database: this.database, log, pollIntervalMs: 200 })
    this.issuer = new TokenIssuer({ store })
    this.switchboard = new Switchboard({
      replicaId: asReplicaId('replica-1'),
      identity: IDENTITY,
      log,
      store,
      directory: this.directory,
      tokens: this.issuer,
      registry: this.registry,
      urlOf: ({ host, mountPath }) => `http://${host}:4000${mountPath}`,
      ...options.switchboard,
    })
    const upstreamOf: Switchboard['tunnels']['upstreamOf'] = line => this.switchboard.tunnels.upstreamOf(line)
    this.picker = new LinePicker({ registry: this.registry, upstreamOf })
    this.proxy = new ProxyServer({
      via: new Via(['plugboard-test']),
      directory: this.directory,
      picker: this.picker,
      tunnels: new TunnelEndpoint({
        authenticator: new Authenticator({ directory: this.directory, log, ...options.authenticator }),
        switchboard: this.switchboard,
        log,
      }),
      log,
    })
  }

  static async start(options: TunnelHarnessOptions = {}): Promise<TunnelHarness> {
    const harness = new TunnelHarness(await createTestDatabase(), options)
    await harness.directory.start()
    harness.port = (await harness.proxy.listen(0, '127.0.0.1')).port
    return harness
  }

  /** Resolves with a token whose key and row are in the directory. */
  async token(
    scope: {
      name?: string
      services?: string[]
      mounts?: string[]
      limits?: TokenLimits
      ttlSeconds?: number
    } = {},
  ): Promise<{ id: string; token: string; expiresAt: Date }> {
    const { name = 'laptop', services = ['*'], mounts = ['*'], limits, ttlSeconds = 3600 } = scope
    const issued = await this.issuer.issue({ name, services, mounts, limits, ttlSeconds }, { actor: 'test' })
    await this.caughtUp()
    return issued
  }

  async caughtUp(): Promise<void> {
    await this.directory.waitForSequence(await this.database.store.changes.latest())
  }

  /** Resolves with a Telephone that has an open session. Rejects when the upgrade is rejected. */
  async dial(token: string, options: DialOptions = {}): Promise<FakeTelephone> {
    const webSocket = new WebSocket(`ws://127.0.0.1:${this.port}/_plugboard/tunnel`, SUBPROTOCOL, {
      ...TUNNEL_WEBSOCKET_OPTIONS,
      headers: { authorization: `Bearer ${token}` },
    })
    const telephone = await new Promise<FakeTelephone>((resolve, reject) => {
      webSocket.once('error', reject)
      webSocket.once('upgrade', ({ socket }) => {
        webSocket.once('open', () =>
          resolve(new FakeTelephone(webSocketTransport(webSocket, socket), options, options.limits)),
        )
      })
    })
    await telephone.ready()
    return telephone
  }

  async close(): Promise<void> {
    await this.proxy.close()
    await this.switchboard.drain(0)
    this.picker.close()
    await this.directory.stop()
    await this.testDatabase.drop()
  }
}
