// Finds ports for processes that need a fixed port and keep it over a restart. The ports are below the range that the system
// uses for outgoing connections, so that no such connection can take a port in between.

import { createServer } from 'node:net'

// Each worker of vitest has a range of its own: a port that one worker has found, and does not use yet, is free for the others.
const WORKERS = 8
const RANGE = 10_000 / WORKERS
const worker = Number(process.env.VITEST_POOL_ID ?? Math.floor(Math.random() * WORKERS)) % WORKERS
const LOWEST = 20_000 + worker * RANGE
const HIGHEST = LOWEST + RANGE
const ATTEMPTS = 100

const given = new Set<number>()

/** Resolves with an unused port of 127.0.0.1. One process never gets the same port twice. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (given.has(port) || !(await canListen(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} in ${ATTEMPTS} attempts`)
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
