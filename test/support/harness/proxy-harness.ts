// A public port in the process of the test: one ProxyServer, routes defined by the test, and fake Telephones on real sessions
// over transports in memory. It has no database and no tokens; tunnel-harness.ts has both.

import type { AccessFields } from '@vera-stack/shared/log.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { formatMount } from '@vera-stack/shared/mounts.ts'
import { Session, type SessionLimits } from '@vera-stack/shared/protocol/session.ts'
import type { HeldBytes } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import type { Transport } from '@vera-stack/shared/protocol/transport.ts'
import { asReplicaId, type ReplicaId } from '../../../plugboard/common/ids/replica-id.ts'
import { asRouteId, asServiceId } from '../../../plugboard/common/ids/row-ids.ts'
import { Via } from '../../../plugboard/proxy/edge/via.ts'
import { type ProxyOptions, ProxyServer } from '../../../plugboard/proxy/server.ts'
import type { Line } from '../../../plugboard/registry/line.ts'
import { asTunnelId, lineId } from '../../../plugboard/registry/line-ids.ts'
import { Registry } from '../../../plugboard/registry/registry.ts'
import type { Upstream } from '../../../plugboard/registry/upstream.ts'
import type { DirectoryRoute } from '../../../plugboard/routes/directory.ts'
import { DEFAULT_ROUTE_OPTIONS, type RouteOptions } from '../../../plugboard/routes/options/route-options.ts'
import {
  DEFAULT_SERVICE_POLICY,
  type ServicePolicy,
} from '../../../plugboard/routes/options/service-policy.ts'
import { RouteActivity } from '../../../plugboard/routes/route-activity.ts'
import { LinePicker } from '../../../plugboard/telephones/picker/line-picker.ts'
import { eventually } from '../deadline.ts'
import { memoryTransportPair } from '../session/memory-transport.ts'
import { FakeTelephone } from './fake-telephone.ts'

export interface HarnessRoute {
  readonly host: string
  readonly mountPath?: string
  readonly service?: string
  readonly policy?: Partial<ServicePolicy>
  readonly options?: Partial<RouteOptions>
}

export function harnessRoute(route: HarnessRoute): DirectoryRoute {
  const service = route.service ?? 'web'
  const { host, mountPath = '/' } = route
  return {
    id: asRouteId(`route-${service}`),
    host,
    mountPath,
    mount: formatMount({ host, path: mountPath }),
    service: {
      id: asServiceId(`id-${service}`),
      name: service,
      policy: { ...DEFAULT_SERVICE_POLICY, ...route.policy },
    },
    options: { ...DEFAULT_ROUTE_OPTIONS, ...route.options },
    lifetimeMs: null,
    updatedAtMs: undefined,
    activity: new RouteActivity(),
  }
}

/** `replicaId`: the id of the proxy. The lines belong to `r1`, so for any other id they are one hop away. */
export type HarnessOptions = Partial<ProxyOptions> & { readonly replicaId?: ReplicaId }

export class ProxyHarness {
  readonly registry = new Registry()
  readonly upstreams = new Map<string, Upstream>()
  readonly accessLog: AccessFields[] = []
  readonly proxy: ProxyServer
  routes: DirectoryRoute[] = [harnessRoute({ host: 'test' })]
  port = 0
  readonly #clientSharePercent: number | undefined
  readonly #sessions: Session[] = []
  #tunnels = 0

  private constructor({ replicaId, ...options }: HarnessOptions) {
    this.#clientSharePercent = options.limits?.clientSharePercent
    const upstreamOf = (line: Line): Upstream | undefined => this.upstreams.get(line.tunnelId)
    this.proxy = new ProxyServer({
      via: new Via(['plugboard-test']),
      directory: {
        match: (host, path) =>
          this.routes.find(
            route =>
              route.host === host &&
              (route.mountPath === '/' || path === route.mountPath || path.startsWith(`${route.mountPath}/`)),
          ),
      },
      picker: new LinePicker({
        registry: this.registry,
        upstreamOf,
        random: () => 0,
        clientSharePercent: this.#clientSharePercent,
        ...(replicaId !== undefined && { replicaId }),
      }),
      log: silentLogger,
      access: fields => this.accessLog.push(fields),
      ...options,
      limits: { deadlineIntervalMs: 10, ...options.limits },
    })
  }

  static async start(options: HarnessOptions = {}): Promise<ProxyHarness> {
    const harness = new ProxyHarness(options)
    const address = await harness.proxy.listen(0, '127.0.0.1')
    harness.port = address.port
    return harness
  }

  /** Returns a Telephone with a line for each service, ready for streams. `line`: values that its lines have. */
  async telephone(
    services: readonly string[] = ['web'],
    more: Partial<SessionLimits> & { instance?: string; held?: HeldBytes; line?: Partial<Line> } = {},
  ): Promise<FakeTelephone & { cut(): void }> {
    const pair = memoryTransportPair()
    const { instance = `instance-${this.#tunnels + 1}`, held, line, ...limits } = more
    const telephone = new FakeTelephone(pair.b, { instance }, limits)
    await this.tunnel(pair.a, services, instance, held, line)
    await telephone.ready()
    return Object.assign(telephone, { cut: () => pair.cut() })
  }

  /** Adds Plugboard's end of an open tunnel with a line for each service. The test provides the other end. */
  async tunnel(
    transport: Transport,
    services: readonly string[],
    instance: string,
    held?: HeldBytes,
    line: Partial<Line> = {},
  ): Promise<void> {
    this.#tunnels += 1
    const tunnelId = asTunnelId(`tunnel-${this.#tunnels}`)
    const clientSharePercent = this.#clientSharePercent
    const session = new Session({
      transport,
      held,
      role: 'acceptor',
      limits: clientSharePercent === undefined ? {} : { clientSharePercent },
      identity: { agent: 'plugboard/test', name: 'plugboard', instance: 'plugboard-1', startedAt: 1 },
      events: {
        onReady: () => undefined,
        onStream: stream => {
          stream.reset('refused')
          throw new Error('a Telephone must not open streams')
        },
        onControl: () => undefined,
        onPeerDrain: () => this.registry.replace(tunnelId, []),
        onClose: () => this.registry.replace(tunnelId, []),
      },
    })
    this.#sessions.push(session)
    await eventually('the tunnel is open', () => (session.state === 'open' ? true : undefined))
    this.upstreams.set(tunnelId, session)
    this.registry.replace(
      tunnelId,
      services.map(service => ({
        id: lineId(tunnelId, service),
        replicaId: asReplicaId('r1'),
        tunnelId,
        service,
        telephone: 'fake',
        instance,
        health: 'up' as const,
        weight: 100,
        version: '',
        labels: {},
        ...line,
      })),
    )
  }

  /** Changes the lines of all tunnels of a process. */
  changeLines(instance: string, change: Partial<Line>): void {
    const lines = [...this.registry.lines()].filter(line => line.instance === instance)
    for (const [tunnelId, ofTunnel] of Map.groupBy(lines, line => line.tunnelId)) {
      const changed = ofTunnel.map(line => ({ ...line, ...change }))
      this.registry.replace(tunnelId, changed)
    }
  }

  async close(): Promise<void> {
    await this.proxy.close()
    await Promise.all(this.#sessions.map(session => session.drain(0)))
  }
}
