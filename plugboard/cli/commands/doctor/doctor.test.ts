// Tests `plugboard doctor --container` against each state of a Plugboard. This process serves the states under its own scope.

import { randomUUID } from 'node:crypto'
import { type LocalStatusServer, serveLocalStatus } from '@vera-stack/shared/process/local-status.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCommandLine } from '../../command-line.ts'

let scope: string
let server: LocalStatusServer | undefined
beforeEach(() => {
  scope = randomUUID()
})
afterEach(async () => {
  await server?.close()
  server = undefined
})

async function doctor(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: '', err: '' }
  const code = await runCommandLine(['doctor', ...args], {
    terminal: {
      out: text => {
        written.out += text
      },
      err: text => {
        written.err += text
      },
      colours: false,
    },
    env: { VERA_STATUS_SCOPE: scope },
    cwd: '/',
    now: Date.now,
    interrupted: () => new AbortController().signal,
  })
  return { code, ...written }
}

function serve(state: string): void {
  const onProblem = (error: Error): never => {
    throw error
  }
  server = serveLocalStatus({
    program: 'plugboard',
    scope,
    status: () => ({ state, detail: state }),
    onProblem,
  })
}

describe.runIf(process.platform === 'linux')('plugboard doctor --container', () => {
  it('exits with 0 when the process is ready', async () => {
    serve('ready')
    const { code, out } = await doctor('--container')
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`process.running +ok +Plugboard, process ${process.pid}: ready`))
  })

  it.each(['loading', 'recovering', 'draining'])('exits with 1 while the process is %s', async state => {
    serve(state)
    const { code, out, err } = await doctor('--container', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(out)).toEqual([
      {
        id: 'process.running',
        state: 'failed',
        detail: expect.stringContaining(state),
        remedy: expect.any(String),
      },
    ])
    expect(err).toBe('plugboard: 1 of 1 checks failed.\n')
  })

  it('exits with 1 and the reason when no Plugboard runs', async () => {
    const { code, out } = await doctor('--container')
    expect(code).toBe(1)
    expect(out).toContain('No Plugboard runs in this container.')
  })
})
