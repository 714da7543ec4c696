// Sends GETs at a constant rate, independent of the responses: slow responses do not lower the load. request-loop.ts sends the
// next request after a response instead.

import { Agent, get } from 'node:http'

export interface OpenLoopOptions {
  readonly port: number
  readonly host: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly perSecond: number
  readonly durationMs: number
  /** Requests at the same moment. Default 1. */
  readonly atOnce?: number
}

export interface OpenLoopResponse {
  /** The status, or the code of the error of a request without a response. */
  readonly outcome: number | string
  /** The time of the request since the start, ms. */
  readonly sentMs: number
  /** The time of the response since the start, ms. */
  readonly atMs: number
}

/** Resolves when each request has its response or its error. */
export async function sendAtRate(options: OpenLoopOptions): Promise<OpenLoopResponse[]> {
  const { port, host, path = '/hello', headers = {}, perSecond, durationMs, atOnce = 1 } = options
  const agent = new Agent({ keepAlive: true })
  const startedAt = performance.now()
  const one = () =>
    new Promise<OpenLoopResponse>(resolve => {
      const sentMs = performance.now() - startedAt
      const end = (outcome: number | string) =>
        resolve({ outcome, sentMs, atMs: performance.now() - startedAt })
      const fail = (error: NodeJS.ErrnoException) => end(error.code ?? error.message)
      const request = get({ port, agent, path, headers: { host, ...headers } }, response => {
        response.on('error', fail)
        response.resume().on('end', () => end(response.statusCode ?? 0))
      })
      request.on('error', fail)
    })
  const sent: Promise<OpenLoopResponse>[] = []
  for (let count = 0; count < (perSecond * durationMs) / 1000; count += 1) {
    const dueMs = ((count - (count % atOnce)) * 1000) / perSecond
    const waitMs = startedAt + dueMs - performance.now()
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
    sent.push(one())
  }
  const responses = await Promise.all(sent)
  agent.destroy()
  return responses
}

/** Returns the number of responses with each outcome. */
export function countOutcomes(responses: readonly OpenLoopResponse[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { outcome } of responses) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}
