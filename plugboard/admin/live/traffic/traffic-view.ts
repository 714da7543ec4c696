// The traffic of all replicas in the last hours. Each replica keeps its own (observe/traffic/traffic-history.ts), so this replica asks
// the others over their links. The function that responds to other replicas is here too.

import { z } from '@hono/zod-openapi'
import type { Clock } from '@vera-stack/shared/clock.ts'
import {
  RESOLUTIONS,
  type Resolution,
  type TrafficHistory,
} from '../../../observe/traffic/traffic-history.ts'
import { pointsOfWire, type TrafficPoint, wirePoints } from '../../../observe/traffic/traffic-point.ts'
import { wirePointSchema } from '../../../observe/traffic/wire-point.ts'
import { type TrafficSeriesBody, trafficColumns } from '../../bodies/traffic-series.ts'
import { type AskReplicas, askAll } from '../ask-replicas.ts'

const QUERY = 'traffic'
const MAX_POINTS = Math.max(...RESOLUTIONS.map(({ length }) => length))

const paramsSchema = z.object({
  resolution: z.union([z.literal(1), z.literal(10), z.literal(60)]),
  service: z.string().max(255).nullable(),
  /** Intervals since 1970. */
  from: z.int().min(0),
  count: z.int().min(1).max(MAX_POINTS),
})
type Params = z.infer<typeof paramsSchema>
const responseSchema = z.object({ points: z.array(wirePointSchema.nullable()).max(MAX_POINTS) })

export interface TrafficViewOptions {
  /** Returns undefined when this replica does not measure its requests. */
  readonly history: () => TrafficHistory | undefined
  readonly clock: Clock
  readonly ask: AskReplicas
}

export class TrafficView {
  readonly #options: TrafficViewOptions

  constructor(options: TrafficViewOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. Throws for params that it cannot read. */
  respond(name: string, params: unknown): object | undefined {
    if (name !== QUERY) return undefined
    const points = this.#own(paramsSchema.parse(params))
    return { points: wirePoints(points) }
  }

  /**
   * Resolves with the newest points of the whole cluster. `service`: undefined for all requests. `count`: undefined for all
   * intervals of the resolution.
   */
  async read(
    resolution: Resolution,
    service: string | undefined,
    count?: number,
  ): Promise<TrafficSeriesBody> {
    const kept = RESOLUTIONS.find(({ seconds }) => seconds === resolution)?.length ?? 0
    const asked = Math.min(count ?? kept, kept)
    const until = Math.floor(this.#options.clock.wallTime() / 1000 / resolution)
    const from = until - asked
    const params: Params = { resolution, service: service ?? null, from, count: asked }
    const { values, missing } = await askAll(this.#options.ask, QUERY, params, responseSchema)
    const replicas = [this.#own(params), ...values.map(({ value }) => pointsOfWire(value.points))]
    const intervals = Array.from({ length: asked }, (_, index) =>
      replicas.flatMap(points => points[index] ?? []),
    )
    return {
      from: new Date(from * resolution * 1000).toISOString(),
      resolution,
      ...trafficColumns(intervals),
      missingReplicas: [...missing],
    }
  }

  #own({ resolution, service, from, count }: Params): readonly (TrafficPoint | undefined)[] {
    const history = this.#options.history()
    return history?.read(resolution, service ?? undefined, from, from + count) ?? []
  }
}
