// The traffic of routes on all replicas in the last 10 minutes. Each replica keeps its own (observe/traffic/route-traffic.ts), so this replica
// asks the others over their links. The function that responds to other replicas is here too.

import { z } from '@hono/zod-openapi'
import type { Clock } from '@vera-stack/shared/clock.ts'
import type { RoutePoints, RouteTraffic } from '../../../observe/traffic/route-traffic.ts'
import { ROUTE_RESOLUTION } from '../../../observe/traffic/traffic-history.ts'
import {
  mergePoints,
  pointsOfWire,
  type TrafficPoint,
  wirePoints,
} from '../../../observe/traffic/traffic-point.ts'
import { wirePointSchema } from '../../../observe/traffic/wire-point.ts'
import {
  MAX_TRAFFIC_ROUTES,
  type RouteTrafficBody,
  type RouteTrafficItem,
} from '../../bodies/route-traffic.ts'
import { type AskReplicas, askAll } from '../ask-replicas.ts'

const QUERY = 'routeTraffic'
const { seconds: SECONDS, length: POINTS } = ROUTE_RESOLUTION

const paramsSchema = z.object({
  ids: z.array(z.string().max(36)).max(MAX_TRAFFIC_ROUTES),
  /** Number of the first interval since 1970. */
  from: z.int().min(0),
})
type Params = z.infer<typeof paramsSchema>

/** By the id of the route. A replica leaves out routes that it does not know. */
const responseSchema = z.object({
  routes: z.record(
    z.string(),
    z.union([z.literal('shared'), z.array(wirePointSchema.nullable()).max(POINTS)]),
  ),
})

export interface RouteTrafficViewOptions {
  /** Returns undefined when this replica does not measure its requests. */
  readonly routes: () => Pick<RouteTraffic, 'read'> | undefined
  readonly clock: Clock
  readonly ask: AskReplicas
}

export class RouteTrafficView {
  readonly #options: RouteTrafficViewOptions

  constructor(options: RouteTrafficViewOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. Throws for params that it cannot read. */
  respond(name: string, params: unknown): z.input<typeof responseSchema> | undefined {
    if (name !== QUERY) return undefined
    const own = this.#own(paramsSchema.parse(params))
    const routes = [...own].map(([id, points]) => [id, points === 'shared' ? points : wirePoints(points)])
    return { routes: Object.fromEntries(routes) }
  }

  /** Resolves with the newest points of the whole cluster. `ids`: of routes, each once. */
  async read(ids: readonly string[]): Promise<RouteTrafficBody> {
    const from = Math.floor(this.#options.clock.wallTime() / 1000 / SECONDS) - POINTS
    const params: Params = { ids: [...ids], from }
    const { values, missing } = await askAll(this.#options.ask, QUERY, params, responseSchema)
    const replicas = [this.#own(params), ...values.map(({ value }) => pointsOf(value))]
    return {
      from: new Date(from * SECONDS * 1000).toISOString(),
      resolution: SECONDS,
      items: ids.flatMap(id => {
        const known = replicas.map(routes => routes.get(id)).filter(points => points !== undefined)
        return known.length === 0 ? [] : [itemOf(id, known)]
      }),
      missingReplicas: [...missing],
    }
  }

  #own({ ids, from }: Params): ReadonlyMap<string, RoutePoints> {
    const routes = this.#options.routes()
    return new Map(
      ids.flatMap(id => {
        const points = routes?.read(id, from, from + POINTS)
        return points === undefined ? [] : [[id, points]]
      }),
    )
  }
}

function pointsOf({ routes }: z.output<typeof responseSchema>): ReadonlyMap<string, RoutePoints> {
  return new Map(
    Object.entries(routes).map(([id, points]) => [id, points === 'shared' ? points : pointsOfWire(points)]),
  )
}

/** `replicas`: the points of each replica that knows the route. */
function itemOf(id: string, replicas: readonly RoutePoints[]): RouteTrafficItem {
  const counted = replicas.filter(points => points !== 'shared')
  if (counted.length < replicas.length)
    return { id, counted: false, requests: [], serverErrors: [], p95Ms: null }
  const intervals = Array.from({ length: POINTS }, (_, index) =>
    counted.flatMap(points => points[index] ?? []),
  )
  const columnOf = (value: (point: TrafficPoint) => number) =>
    intervals.map(points =>
      points.length === 0 ? null : rounded(points.reduce((sum, point) => sum + value(point), 0)),
    )
  const { quantiles } = mergePoints(intervals.flat())
  return {
    id,
    counted: true,
    requests: columnOf(({ classes }) => classes[0] + classes[1] + classes[2] + classes[3]),
    serverErrors: columnOf(({ classes }) => classes[3]),
    p95Ms: quantiles === null ? null : rounded(quantiles[1]),
  }
}

const rounded = (value: number): number => Math.round(value * 100) / 100
