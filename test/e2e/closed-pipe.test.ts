// Commands whose output is closed early by its reader, as `| head` does. They run as real processes with a real pipe.

import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { createGunzip } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { useProcesses } from '../support/process/use-processes.ts'
import { cleanEnvironment } from '../support/programs/plugboard-process.ts'

const PLUGBOARD = join(import.meta.dirname, '../../plugboard/main.ts')
const SERVICES = 400
const processes = useProcesses()

// An admin API without services, which counts the services of a bundle.
let api: Server
let added: number
let folder: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'closed-pipe-'))
  added = 0
  api = createServer((request, response) => {
    void respond(request, response)
  }).listen(0, '127.0.0.1')
  await once(api, 'listening')
})
afterEach(() => {
  api.closeAllConnections()
  api.close()
  rmSync(folder, { recursive: true })
})

/** Responds to a bundle as the admin API does: with a difference that is longer than a pipe holds. */
async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Content-Type', 'application/json')
  if (request.method !== 'PUT') {
    request.resume()
    response.end(JSON.stringify({ items: [], next: null }))
    return
  }
  // The command line compresses a bundle.
  const bundle = (await json(request.pipe(createGunzip()))) as { services: { name: string }[] }
  const counts = { created: bundle.services.length, changed: 0, deleted: 0, unchanged: 0 }
  const items = bundle.services.map(({ name }) => ({
    action: 'created',
    entity: 'service',
    name,
    before: null,
    after: { name, policy: {} },
  }))
  added += bundle.services.length
  const nothing = { created: 0, changed: 0, deleted: 0, unchanged: 0 }
  response.end(
    JSON.stringify({ dryRun: false, bundle: 'b', sequence: 1, services: counts, routes: nothing, items }),
  )
}

/** Runs `plugboard ARGS | head -1` in a shell. Returns the exit code of plugboard and all other output. */
async function pipedToHead(args: string): Promise<{ code: string; output: string }> {
  const line = `exec 3>&1; { "$NODE" "$MAIN" ${args}; echo "exit code $?" >&3; } 2>&1 | head -1`
  const child = processes.start({
    name: 'shell',
    command: 'sh',
    args: ['-c', line],
    cwd: folder,
    env: cleanEnvironment({
      NODE: process.execPath,
      MAIN: PLUGBOARD,
      PLUGBOARD_URL: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
      PLUGBOARD_API_KEY: 'key',
    }),
  })
  child.expectedToExit = true
  await child.exited
  const code = child.lines.find(text => text.startsWith('exit code ')) ?? ''
  return { code, output: child.output }
}

it('an import whose output is cut off makes every change', async () => {
  const services = Array.from({ length: SERVICES }, (_, number) => ({ name: `service-${number}` }))
  writeFileSync(join(folder, 'bundle.json'), JSON.stringify({ version: 1, services, routes: [] }))
  const { code, output } = await pipedToHead('import bundle.json')
  expect({ code, added }).toEqual({ code: 'exit code 0', added: SERVICES })
  expect(output).not.toContain('EPIPE')
})

it('a long help text whose reader closes the pipe ends without a stack trace', async () => {
  const { code, output } = await pipedToHead('start --help')
  expect(code).toBe('exit code 0')
  expect(output).not.toMatch(/EPIPE|\s at /)
})
