// The shared stack of the tests in this folder, and functions that send requests to it. http.test.ts imports every test file,
// so that all of them share the stack.

import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { type RawResponse, rawExchange } from '../../support/http/raw-connection.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.ts'
import { EdgeStack } from './edge-stack.ts'
import type { BackendRequest } from './recording-backend.ts'
import { BARRIER, chunked, get, HOST } from './rows/edge-row.ts'
import { passBarrier } from './rows/run-row.ts'

export { BARRIER, chunked, get, HOST }
export const edge = new EdgeStack()

/** Starts the stack for the file that calls it. */
export function useEdge(): void {
  let database: TestDatabase | undefined
  beforeAll(async () => {
    database = await createTestDatabase()
    await edge.start({ databaseUrl: database.url, tight: true })
  })
  afterAll(async () => {
    await edge.stop()
    await database?.drop()
  })
  beforeEach(() => edge.backend.reset())
}

/** Sends bytes on a new connection, and resolves with one response. */
export function ask(bytes: string, method?: string, port = edge.port): Promise<RawResponse> {
  return rawExchange(port, bytes, method)
}

/** Resolves with the request at the backend. The response must be 200. */
export async function forwarded(bytes: string, method?: string): Promise<BackendRequest> {
  const response = await ask(bytes, method)
  expect(response.status, response.head).toBe(200)
  expect(edge.backend.faults).toEqual([])
  expect(edge.backend.requests).toHaveLength(1)
  return edge.backend.requests[0]!
}

/** Sends a request behind all earlier ones. When it gets its response, their effects at the backend are there. */
export function barrier(port = edge.port): Promise<void> {
  return passBarrier(port)
}
