// The traffic of the last hours in responses: one list for each figure, the form that a chart needs.

import { z } from '@hono/zod-openapi'
import { mergePoints, type TrafficPoint } from '../../observe/traffic/traffic-point.ts'
import { missingReplicasSchema } from './replica.ts'

const column = (description: string) => z.array(z.number().nullable()).openapi({ description })

export const trafficSeriesSchema = z
  .strictObject({
    from: z.iso.datetime().openapi({ description: 'The start of the first interval.' }),
    resolution: z.union([z.literal(1), z.literal(10), z.literal(60)]).openapi({
      description: 'Seconds of an interval.',
    }),
    success: column(
      'Requests that ended with 1xx or 2xx in each interval. Null: no replica has data of the interval.',
    ),
    redirect: column('Requests with 3xx.'),
    clientError: column('Requests with 4xx.'),
    serverError: column('Requests with 5xx.'),
    requestBytes: column('Bytes of request bodies.'),
    responseBytes: column('Bytes of response bodies.'),
    p50Ms: column(
      'Median of the time from the last byte of a request to the head of its response, ms. Null: no response.',
    ),
    p95Ms: column('95 % of the requests had a shorter time, ms.'),
    p99Ms: column('99 % of the requests had a shorter time, ms.'),
    waitMs: column('Mean wait for a line, ms.'),
    tunnelMs: column('Mean time that the tunnel took, ms.'),
    backendMs: column('Mean time that the backend took, ms.'),
    missingReplicas: missingReplicasSchema,
  })
  .openapi('TrafficSeries')
export type TrafficSeriesBody = z.infer<typeof trafficSeriesSchema>

/** Returns the lists. `intervals`: for each interval the points of the replicas that have one. */
export function trafficColumns(intervals: readonly (readonly TrafficPoint[])[]) {
  const points = intervals.map(each => (each.length === 0 ? undefined : mergePoints(each)))
  const columnOf = (value: (point: TrafficPoint) => number | undefined): (number | null)[] =>
    points.map(point => {
      const found = point === undefined ? undefined : value(point)
      return found === undefined ? null : Math.round(found * 100) / 100
    })
  return {
    success: columnOf(({ classes }) => classes[0]),
    redirect: columnOf(({ classes }) => classes[1]),
    clientError: columnOf(({ classes }) => classes[2]),
    serverError: columnOf(({ classes }) => classes[3]),
    requestBytes: columnOf(point => point.requestBytes),
    responseBytes: columnOf(point => point.responseBytes),
    p50Ms: columnOf(({ quantiles }) => quantiles?.[0]),
    p95Ms: columnOf(({ quantiles }) => quantiles?.[1]),
    p99Ms: columnOf(({ quantiles }) => quantiles?.[2]),
    waitMs: columnOf(({ parts }) => parts?.[0]),
    tunnelMs: columnOf(({ parts }) => parts?.[1]),
    backendMs: columnOf(({ parts }) => parts?.[2]),
  }
}
