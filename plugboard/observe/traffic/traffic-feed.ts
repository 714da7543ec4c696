// The live traffic of this replica: the points of each second, for all requests and for the services that a viewer names.

import { z } from 'zod'
import type { Feed, FeedSink, ObserveSource } from '../stream/observe-source.ts'
import type { RouteTraffic } from './route-traffic.ts'
import type { TrafficHistory } from './traffic-history.ts'
import { type TrafficPoint, type WirePoint, wirePoint } from './traffic-point.ts'
import { wirePointSchema } from './wire-point.ts'

export const TRAFFIC_TOPIC = 'traffic'
/** The largest number of services of one viewer. */
export const MAX_WATCHED_SERVICES = 100

const paramsSchema = z.object({ services: z.array(z.string().min(1).max(255)).max(MAX_WATCHED_SERVICES) })
export type TrafficFeedParams = z.infer<typeof paramsSchema>

const secondSchema = z.object({
  replicaId: z.string(),
  second: z.int(),
  total: wirePointSchema,
  services: z.record(z.string(), wirePointSchema),
})
/** One second of one replica. `second`: since 1970. The replica knows only the services with a point. */
export type TrafficSecond = z.infer<typeof secondSchema>

/** Returns the item of another replica; undefined when this version cannot read it. */
export function readTrafficSecond(value: unknown): TrafficSecond | undefined {
  return secondSchema.safeParse(value).data
}

export class TrafficFeed implements ObserveSource {
  readonly #replicaId: string
  /** Undefined until the replica measures its requests. */
  history: TrafficHistory | undefined
  /** As `history`. */
  routes: Pick<RouteTraffic, 'read'> | undefined

  constructor(replicaId: string) {
    this.#replicaId = replicaId
  }

  /** `params`: TrafficFeedParams. Throws when this replica does not measure its requests. */
  open(params: unknown, sink: FeedSink): Feed {
    const { services } = paramsSchema.parse(params)
    const { history } = this
    if (history === undefined) throw new Error('this replica does not measure its requests')
    let points: Record<string, WirePoint> = {}
    const add = (service: string) => (_second: number, point: TrafficPoint | undefined) => {
      if (point !== undefined) points[service] = wirePoint(point)
    }
    const stops = [...new Set(services)].map(service => history.watch(service, add(service)))
    // The history reports the services of a second before the total.
    const stopTotal = history.watch(undefined, (second, point) => {
      if (point === undefined) return
      const item: TrafficSecond = {
        replicaId: this.#replicaId,
        second,
        total: wirePoint(point),
        services: points,
      }
      points = {}
      sink.item(item)
    })
    return {
      close() {
        for (const stop of stops) stop()
        stopTotal()
      },
    }
  }
}
