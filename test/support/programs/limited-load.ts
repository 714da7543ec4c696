// A route with one rate limit on several replicas, requests of one client at constant rates to each replica, and the requests that the
// replicas admit.

import { expect } from 'vitest'
import { eventually } from '../deadline.ts'
import { type HttpResponse, send } from '../http/http-client.ts'
import { countOutcomes, type OpenLoopResponse, sendAtRate } from '../http/open-loop.ts'
import type { ClusterStack } from './cluster.ts'
import { SERVICE } from './stack.ts'

/** Sends one request of a client. The limit counts by the header field X-Client. */
export const sendAs = (
  host: string,
  port: number,
  { client = 'test', path = '/hello' }: { client?: string; path?: string } = {},
): Promise<HttpResponse> => send({ port, host, path, headers: { 'x-client': client } })

/** Adds a route with one limit, and resolves when all replicas serve it. */
export async function addLimitedRoute(cluster: ClusterStack, mount: string, limit: object): Promise<void> {
  const options = { rateLimits: [{ name: 'per-client', key: [{ header: 'X-Client' }], ...limit }] }
  await cluster.replicas[0]!.call('POST', '/v1/routes', { mount, service: SERVICE, options })
  for (const { port } of cluster.places) {
    await eventually(`${mount} is served`, async () => {
      // A client of its own, so that the count of the test stays untouched.
      const { status } = await sendAs(mount, port, { client: 'first' })
      return status === 200 ? true : undefined
    })
  }
}

export interface LimitedLoad {
  readonly host: string
  readonly durationMs: number
  /** The requests per second of each replica, by its port. */
  readonly perSecond: readonly (readonly [port: number, rate: number])[]
  /** Requests to each replica at the same moment. Default 1. */
  readonly atOnce?: number
}

/** Resolves when each request has its response. Rejects when a response is neither 200 nor 429. */
export async function offerLoad({ perSecond, ...load }: LimitedLoad): Promise<AdmittedRequests> {
  const headers = { 'x-client': 'test' }
  const loads = perSecond
    .filter(([, rate]) => rate > 0)
    .map(([port, rate]) => sendAtRate({ ...load, port, headers, perSecond: rate }))
  const responses = (await Promise.all(loads)).flat()
  const { 200: admitted = 0, 429: rejected = 0, ...others } = countOutcomes(responses)
  expect(others).toEqual({})
  expect(admitted + rejected).toBe(responses.length)
  return new AdmittedRequests(responses)
}

export class AdmittedRequests {
  readonly count: number
  readonly rejected: number
  /** The time of the last response since the start, ms. */
  readonly elapsedMs: number
  /** In the order of the responses. */
  readonly #admitted: readonly OpenLoopResponse[]

  constructor(responses: readonly OpenLoopResponse[]) {
    const ordered = [...responses].sort((left, right) => left.atMs - right.atMs)
    this.#admitted = ordered.filter(({ outcome }) => outcome === 200)
    this.count = this.#admitted.length
    this.rejected = countOutcomes(ordered)[429] ?? 0
    this.elapsedMs = ordered.at(-1)?.atMs ?? 0
  }

  /** Returns the number of admitted requests whose responses came from one time to another. */
  between(fromMs: number, untilMs: number): number {
    return this.#admitted.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).length
  }

  /**
   * Returns the most requests that were certainly admitted in one window of this length: sent and responded to in it. A busy
   * machine delivers responses late and many at a time, so their times alone would put requests of other windows into one.
   */
  worstWindow(windowMs = 1000): number {
    let most = 0
    for (const { sentMs: startMs } of this.#admitted) {
      let count = 0
      for (const { sentMs, atMs } of this.#admitted)
        if (sentMs >= startMs && atMs < startMs + windowMs) count += 1
      most = Math.max(most, count)
    }
    return most
  }
}
