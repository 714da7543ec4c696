// The one stack of this folder's tests and the ways they talk to it. Every test file here is imported by
// http.test.ts, so that all of them share the stack.

import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { field, RawConnection, type RawResponse, rawExchange } from '../../support/http/raw-connection.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres/postgres.ts'
import { EdgeStack } from './edge-stack.ts'
import type { BackendRequest } from './recording-backend.ts'

export const edge = new EdgeStack()
export const HOST = 'Host: edge.test\r\n'

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

/** A request without a body: its line, a Host, more field lines. */
export function get(target = '/', fields = '', host = 'edge.test'): string {
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`
}

/** A chunked POST whose chunks are given as they are. */
export function chunked(chunks: string, fields = ''): string {
  return `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n${fields}\r\n${chunks}`
}

/** One answer on a connection of its own. */
export function ask(bytes: string, method?: string, port = edge.port): Promise<RawResponse> {
  return rawExchange(port, bytes, method)
}

/** What reached the backend of a request that is answered with 200. */
export async function forwarded(bytes: string, method?: string): Promise<BackendRequest> {
  const response = await ask(bytes, method)
  expect(response.status, response.head).toBe(200)
  expect(edge.backend.faults).toEqual([])
  expect(edge.backend.requests).toHaveLength(1)
  return edge.backend.requests[0]!
}

/** A request that follows all others on their way: whatever they have caused at the backend is there before it. */
export async function fence(port = edge.port): Promise<void> {
  const response = await ask(get('/fence', '', 'neighbour.test'), 'GET', port)
  expect(response.body.toString()).toBe('GET /fence ')
}

/** A client error: this status, the end of the connection, and no byte at the backend. */
export async function refused(bytes: string, status: number, port = edge.port): Promise<RawResponse> {
  const connection = await RawConnection.open(port)
  await connection.send(bytes)
  const response = await connection.readResponse(/^HEAD /.test(bytes) ? 'HEAD' : 'GET')
  expect(response.status, response.head).toBe(status)
  expect(field(response.headers, 'plugboard-error')).toBeDefined()
  expect(field(response.headers, 'connection')).toBe('close')
  expect((await connection.readToEnd()).toString()).toBe('')
  connection.destroy()
  await fence(port)
  expect(edge.backend.requests.map(({ target }) => target)).toEqual(['/fence'])
  expect(edge.backend.faults).toEqual([])
  return response
}
