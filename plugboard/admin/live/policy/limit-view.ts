// Lists the rate limits of routes and services with their decisions and their use, summed over all replicas. This replica has the
// rows, because all replicas have the same ones. The counts come from each replica.

import { z } from '@hono/zod-openapi'
import type { Clock } from '@vera-stack/shared/clock.ts'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { parseMount } from '@vera-stack/shared/mounts.ts'
import { asRouteId, asServiceId } from '../../../common/ids/row-ids.ts'
import type { Page } from '../../../database/store/store.ts'
import { decodeCursor, encodeCursor, limitOf } from '../../../database/store/values/page.ts'
import type { CompiledLimit } from '../../../limits/compiled-limits.ts'
import type { LimitTable } from '../../../limits/limit-table.ts'
import { HOTTEST_KEYS, limitUse } from '../../../limits/limit-use.ts'
import type { RouteLimits } from '../../../limits/route-limits.ts'
import type { Directory, DirectoryRoute, DirectoryService } from '../../../routes/directory.ts'
import {
  type LimitPageBody,
  type LimitRowBody,
  type LimitShareBody,
  MAX_LIMITS_OF_PAGE,
  type ReplicaLimits,
  remoteLimitsSchema,
} from '../../bodies/policy/limit.ts'
import { type AskReplicas, askAll } from '../ask-replicas.ts'
import { namedService } from '../named-service.ts'

export interface LimitViewOptions {
  readonly replicaId: string
  readonly directory: Pick<
    Directory,
    'routes' | 'route' | 'routesOfService' | 'services' | 'service' | 'serviceByName' | 'match'
  >
  readonly routeLimits: RouteLimits
  readonly table: LimitTable
  /** The exchange of counts with each other replica. */
  readonly shares: () => readonly LimitShareBody[]
  readonly clock: Clock
  readonly ask: AskReplicas
}

export interface LimitRequest {
  /** Name or id of a service: its limits, and those of its routes. */
  readonly service?: string | undefined
  /** Mount or id of a route: its limits, and those of its service. */
  readonly route?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

interface LimitRow {
  readonly rowId: string
  readonly route: { readonly id: string; readonly mount: string } | null
  readonly service: string | null
  readonly limit: CompiledLimit
}

type LimitCounts = ReplicaLimits['limits'][number]
type ReplicaValue = { readonly replicaId: string; readonly value: ReplicaLimits }

const LIMITS = 'limits'
const limitsParams = z.object({ rows: z.array(z.string()).max(MAX_LIMITS_OF_PAGE) })
const cursorKey = z.tuple([z.string(), z.string(), z.string()])

export class LimitView {
  readonly #options: LimitViewOptions

  constructor(options: LimitViewOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. Throws for params that it cannot read. */
  respond(name: string, params: unknown): object | undefined {
    return name === LIMITS ? this.#ownCounts(limitsParams.parse(params).rows) : undefined
  }

  /** Resolves with a page of limits: by service, then the limits of the service before those of its routes. */
  async list(request: LimitRequest): Promise<{
    readonly page: Page<LimitRowBody>
    readonly shares: LimitPageBody['shares']
    readonly missing: LimitPageBody['missingReplicas']
  }> {
    const size = Math.min(limitOf(request), MAX_LIMITS_OF_PAGE)
    const after = request.cursor === undefined ? undefined : decodeCursor(cursorKey, request.cursor)
    const rows = [...this.#rowsFor(request)].sort((left, right) => compare(keyOf(left), keyOf(right)))
    const rest = after === undefined ? rows : rows.filter(row => compare(keyOf(row), after) > 0)
    const shown = rest.slice(0, size)
    const ids = [...new Set(shown.map(({ rowId }) => rowId))]
    const { replicaId, ask } = this.#options
    const { values, missing } = await askAll(ask, LIMITS, { rows: ids }, remoteLimitsSchema)
    const all: ReplicaValue[] = [{ replicaId, value: this.#ownCounts(ids) }, ...values]
    const last = shown.at(-1)
    return {
      page: {
        items: shown.map(row => withCounts(row, all)),
        nextCursor: rest.length > size && last !== undefined ? encodeCursor(keyOf(last)) : undefined,
      },
      shares: all.flatMap(each => each.value.shares.map(share => ({ replicaId: each.replicaId, ...share }))),
      missing,
    }
  }

  *#rowsFor({ service: serviceText, route: routeText }: LimitRequest): Generator<LimitRow> {
    const { directory } = this.#options
    if (routeText !== undefined) {
      const route = this.#routeOf(routeText)
      if (
        serviceText !== undefined &&
        namedService(this.#options.directory, serviceText).id !== route.service.id
      )
        return
      yield* this.#ofService(route.service)
      yield* this.#ofRoute(route)
    } else if (serviceText !== undefined) {
      const service = namedService(this.#options.directory, serviceText)
      yield* this.#ofService(service)
      for (const route of directory.routesOfService(service.id)) yield* this.#ofRoute(route)
    } else {
      for (const service of directory.services()) yield* this.#ofService(service)
      for (const route of directory.routes()) yield* this.#ofRoute(route)
    }
  }

  *#ofService(service: DirectoryService): Generator<LimitRow> {
    const { id: rowId, name } = service
    for (const limit of this.#options.routeLimits.ofService(service)) {
      yield { rowId, route: null, service: name, limit }
    }
  }

  *#ofRoute(route: DirectoryRoute): Generator<LimitRow> {
    const { id, mount, service } = route
    for (const limit of this.#options.routeLimits.ofRoute(route)) {
      yield { rowId: id, route: { id, mount }, service: service.name === '' ? null : service.name, limit }
    }
  }

  #routeOf(text: string): DirectoryRoute {
    const { directory } = this.#options
    const route = directory.route(asRouteId(text)) ?? this.#routeAt(text)
    if (route === undefined) throw new VeraError('not_found', `There is no route "${text}".`)
    return route
  }

  #routeAt(text: string): DirectoryRoute | undefined {
    const parsed = parseMount(text)
    if (!parsed.ok) return undefined
    const { host, path } = parsed.value
    const found = this.#options.directory.match(host, path)
    return found?.host === host && found.mountPath === path ? found : undefined
  }

  /** Returns the counts of this replica. A row that it does not have yet, or not any more, has none. */
  #ownCounts(rowIds: readonly string[]): ReplicaLimits {
    const { directory, table, clock, shares } = this.#options
    const rows = rowIds.flatMap(rowId => {
      const route = directory.route(asRouteId(rowId))
      if (route !== undefined) return [...this.#ofRoute(route)]
      const service = directory.service(asServiceId(rowId))
      return service === undefined ? [] : [...this.#ofService(service)]
    })
    const uses = limitUse(
      rows.map(({ limit }) => limit),
      table,
      clock.now(),
    )
    const limits = rows.map(({ rowId, limit: { name, decisions } }, index): LimitCounts => {
      const { keys = 0, hottest = [] } = uses[index] ?? {}
      const hot = hottest.map(({ key, used }) => ({ key: hashText(key), usedPercent: percentOf(used) }))
      return { rowId, name, ...decisions, keys, hottest: hot }
    })
    return { limits, shares: [...shares()] }
  }
}

function withCounts(
  { rowId, route, service, limit }: LimitRow,
  replicas: readonly ReplicaValue[],
): LimitRowBody {
  const counted = replicas.flatMap(({ replicaId, value }) => {
    const counts = value.limits.find(each => each.rowId === rowId && each.name === limit.name)
    return counts === undefined ? [] : [{ replicaId, counts }]
  })
  const sum = (field: 'admitted' | 'rejected' | 'wouldReject' | 'keys'): number =>
    counted.reduce((total, { counts }) => total + counts[field], 0)
  return {
    route,
    service,
    name: limit.name,
    limit: limit.limit,
    windowSeconds: limit.windowSeconds,
    burst: limit.burst,
    count: limit.countsBytes ? 'responseBytes' : 'requests',
    scope: limit.shared ? 'cluster' : 'replica',
    enforce: limit.enforced,
    admitted: sum('admitted'),
    rejected: sum('rejected'),
    wouldReject: sum('wouldReject'),
    keys: sum('keys'),
    hottestKeys: hottestOf(counted),
    replicas: counted.map(({ replicaId, counts: { admitted, rejected, wouldReject, keys } }) => ({
      replicaId,
      admitted,
      rejected,
      wouldReject,
      keys,
    })),
  }
}

/** Returns the keys with the largest used part, each once: replicas that share a limit have the same keys. */
function hottestOf(
  counted: readonly { readonly replicaId: string; readonly counts: LimitCounts }[],
): LimitRowBody['hottestKeys'] {
  const all = counted
    .flatMap(({ replicaId, counts }) => counts.hottest.map(each => ({ ...each, replicaId })))
    .sort((left, right) => right.usedPercent - left.usedPercent)
  const seen = new Set<string>()
  return all.filter(({ key }) => seen.size < seen.add(key).size).slice(0, HOTTEST_KEYS)
}

/** The 53 bits of a hash as 14 digits. */
const hashText = (key: number): string => key.toString(16).padStart(14, '0')
const percentOf = (part: number): number => Math.round(part * 1000) / 10

const keyOf = ({ service, route, limit }: LimitRow): [string, string, string] => [
  service ?? '',
  route?.mount ?? '',
  limit.name,
]

function compare(left: readonly string[], right: readonly string[]): number {
  for (const [index, text] of left.entries()) {
    const other = right[index] as string
    if (text !== other) return text < other ? -1 : 1
  }
  return 0
}
