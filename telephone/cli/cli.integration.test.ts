// Tests the program in a child process: its output, its exit codes, its end.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import type { Child } from '../../test/support/process/child.ts'
import { findProgram } from '../../test/support/process/find-program.ts'
import { useProcesses } from '../../test/support/process/use-processes.ts'
import { cleanEnvironment } from '../../test/support/programs/plugboard-process.ts'
import { FakePlugboard } from '../testing/fake-plugboard.ts'
import { ScriptedBackend } from '../testing/scripted-backend.ts'
import { Caller } from '../testing/tunnel-pair.ts'

useLeakCheck()
const processes = useProcesses()

/** A program that opens a terminal; undefined when it is not installed. Other systems have another program of this name. */
const script = process.platform === 'linux' ? findProgram('script') : undefined
const MAIN = join(import.meta.dirname, '../main.ts')
const SECRET = 'not.a.secret'

let plugboard: FakePlugboard
let folder: string
beforeEach(async () => {
  plugboard = await new FakePlugboard('replica-a').listen()
  folder = mkdtempSync(join(tmpdir(), 'telephone-'))
})
afterEach(async () => {
  await plugboard.kill()
  rmSync(folder, { recursive: true })
})

function telephone(args: string[], env: Record<string, string> = {}): Child {
  return processes.node('telephone', [MAIN, ...args], {
    env: cleanEnvironment(env),
    cwd: folder,
  })
}

const given = (): Record<string, string> => ({ TELEPHONE_PLUGBOARD: plugboard.url, TELEPHONE_TOKEN: SECRET })

async function ended(child: Child): Promise<number | null> {
  child.expectedToExit = true
  return (await child.exited).code
}

describe('telephone http', () => {
  it('prints its state, serves requests, and drains at a signal', async () => {
    const backend = await new ScriptedBackend().listen()
    const child = telephone(['http', String(backend.port), '--mount', 'app.test', '--access-log'], given())
    await child.waitForLine(/^✓ connected to .*replica replica-a \(tunnel 1 of 2\)/)
    await child.waitForLine(new RegExp(`^✓ http://app\\.test → http://localhost:${backend.port}$`))
    const caller = new Caller(plugboard.live[0]!.session, { service: 'app.test', target: '/x' })
    const connection = await backend.connection()
    await connection.request()
    connection.say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    await caller.until(c => c.ended)
    await child.waitForLine(/^ {2}GET \/x 200 \d+ ms$/)
    expect(await child.stop('SIGINT')).toEqual({ code: 0, signal: null })
    await child.waitForLine(/^· stopped$/)
    expect(child.output).not.toContain(SECRET)
    await backend.close()
  })

  it('ends with 1 and the reason when its service is refused', async () => {
    plugboard.judge = announce =>
      announce.services.map(({ service }) => ({
        service,
        accepted: false,
        detail: 'the mount is taken',
        urls: [],
      }))
    const child = telephone(['http', '3000', '--mount', 'app.test'], given())
    expect(await ended(child)).toBe(1)
    expect(child.output).toContain('✗ app.test: the mount is taken')
  })

  it.skipIf(script === undefined)(
    'shows each request on a terminal, and the cause of a failure',
    async () => {
      const backend = await new ScriptedBackend().listen()
      const { port } = backend
      await backend.close()
      const words = [execPath, MAIN, 'http', String(port), '--service', 'web']
      // `script` of util-linux runs the command on a new terminal, and ends with the exit code of the command.
      const child = processes.start({
        name: 'telephone on a terminal',
        command: script as string,
        args: ['-qefc', words.join(' '), '/dev/null'],
        env: cleanEnvironment({ ...given(), SHELL: '/bin/sh' }),
        cwd: folder,
      })
      await child.waitForLine(/^! Backend .* refused the connection \(ECONNREFUSED\)\. Start the backend/)
      await child.waitForLine(/^✓ connected/)
      const failed = new Caller(plugboard.live[0]!.session, { target: '/down?x=1' })
      await failed.until(c => c.over)
      await child.waitForLine(/^ {2}GET \/down backend_unreachable \(connection_refused\) \d+ ms$/)
      const back = await new ScriptedBackend().listen({ port, host: '127.0.0.1' })
      const caller = new Caller(plugboard.live[0]!.session, { target: '/up' })
      const connection = await back.connection()
      await connection.request()
      connection.say('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
      await caller.until(c => c.ended)
      await child.waitForLine(/^ {2}GET \/up 404 \d+ ms$/)
      // The program ends by itself, because its token is refused.
      plugboard.refusal = revoked
      for (const { session } of plugboard.live) session.close('unauthorized', 'the token was revoked')
      expect(await ended(child)).toBe(1)
      await back.close()
    },
  )

  it.each([
    ['a pipe, where it was not asked for', []],
    ['a terminal or a pipe, with --no-access-log', ['--no-access-log']],
  ])('shows no request on %s', async (_what, flags) => {
    const backend = await new ScriptedBackend().listen()
    const child = telephone(['http', String(backend.port), '--service', 'web', ...flags], given())
    await child.waitForLine(/^✓ connected/)
    const caller = new Caller(plugboard.live[0]!.session, { target: '/up' })
    const connection = await backend.connection()
    await connection.request()
    connection.say('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    await caller.until(c => c.ended)
    await child.stop()
    expect(child.lines.at(-1)).toBe('· stopped')
    expect(child.output).not.toContain('/up')
    await backend.close()
  })

  const revoked = {
    status: 401,
    body: JSON.stringify({ code: 'token_revoked', detail: 'This token has been revoked.' }),
  }
  const advice = 'Issue a new token with "plugboard token issue".'

  it('ends with 1 and one line when its token is refused', async () => {
    plugboard.refusal = revoked
    const child = telephone(['http', '3000', '--service', 'web'], given())
    expect(await ended(child)).toBe(1)
    expect(child.lines.filter(line => line.startsWith('✗'))).toEqual([
      `✗ ${plugboard.url} refused the token: This token has been revoked. ${advice}`,
    ])
    expect(child.output).not.toContain('trying again')
  })

  it('ends with 1 when its token cannot be read', async () => {
    const env = { TELEPHONE_PLUGBOARD: plugboard.url }
    const child = telephone(['http', '3000', '--service', 'web', '--token-file', 'nosuch.jwt'], env)
    expect(await ended(child)).toBe(1)
    expect(child.output).toContain(`✗ The token file ${join(folder, 'nosuch.jwt')} cannot be read (ENOENT).`)
  })

  it('ends with 1 when its token is revoked while it serves', async () => {
    const child = telephone(['http', '3000', '--service', 'web', '--log-format', 'json'], given())
    await plugboard.until(p => p.live.length === 2)
    await child.waitForLine(/"msg":"tunnel ready","tunnelId":"2"|"tunnelId":"2".*"msg":"tunnel ready"/)
    plugboard.refusal = revoked
    for (const { session } of plugboard.live) session.close('unauthorized', 'the token was revoked')
    expect(await ended(child)).toBe(1)
    const last = child.lines.map(line => JSON.parse(line) as Record<string, unknown>)
    expect(last.find(({ msg }) => msg === 'telephone ends')).toMatchObject({
      level: 'error',
      code: 'unauthorized',
      detail: `${plugboard.url} closed the tunnel: the token was revoked. ${advice}`,
    })
  })

  it('waits for a Plugboard that does not run, and reports this once', async () => {
    const { port } = plugboard
    await plugboard.kill()
    const child = telephone(['http', '3000', '--service', 'web'], given())
    await child.waitForLine(
      /^✗ http:\/\/127\.0\.0\.1:\d+: the connection was refused: no program listens there; trying again/,
    )
    plugboard = await new FakePlugboard('replica-a').listen(port)
    await child.waitForLine(/^✓ connected/)
    expect(child.lines.filter(line => line.startsWith('✗'))).toHaveLength(1)
  })

  it('shows that the OTLP receiver is unavailable', async () => {
    const receiver = await new ScriptedBackend().listen()
    const { port } = receiver
    await receiver.close()
    const flags = ['--service', 'web', '--otlp-endpoint', `http://127.0.0.1:${port}`]
    const child = telephone(['http', '3000', ...flags], given())
    await child.waitForLine(/^✓ connected/)
    // The stop sends a last export.
    await child.stop()
    expect(child.lines.filter(line => line.startsWith('!'))).toEqual([
      expect.stringContaining(`the OTLP receiver is unavailable: http://127.0.0.1:${port}/v1/metrics, `),
    ])
  })

  it('ends at once at the second signal', async () => {
    const backend = await new ScriptedBackend().listen()
    const child = telephone(['http', String(backend.port), '--service', 'web'], given())
    await child.waitForLine(/^✓ connected/)
    const caller = new Caller(plugboard.live[0]!.session, {})
    await (await backend.connection()).request()
    child.signal('SIGTERM')
    await child.waitForLine(/^· finishing open requests/)
    child.signal('SIGTERM')
    expect(await ended(child)).toBe(143)
    await caller.until(c => c.over)
    await backend.close()
  })
})

describe('telephone start', () => {
  it('reads its settings from the environment, and logs JSON', async () => {
    const child = telephone(['start'], { ...given(), TELEPHONE_TARGET: '3000', TELEPHONE_SERVICE: 'web' })
    await child.waitForLine(/"msg":"service accepted"/)
    const lines = child.lines.map(line => JSON.parse(line) as Record<string, unknown>)
    expect(lines[0]).toMatchObject({ level: 'info', msg: 'telephone starts', version: expect.any(String) })
    expect(lines.find(({ msg }) => msg === 'tunnel ready')).toMatchObject({ replicaId: 'replica-a' })
    child.signal('SIGTERM')
    expect(await ended(child)).toBe(0)
    expect(child.output).not.toContain(SECRET)
  })

  it('reports a refused token as an error with the remedy, and continues', async () => {
    plugboard.refusal = {
      status: 401,
      body: JSON.stringify({ code: 'token_expired', detail: 'It has expired.' }),
    }
    const child = telephone(['start'], { ...given(), TELEPHONE_TARGET: '3000', TELEPHONE_SERVICE: 'web' })
    const [line] = await child.waitForLine(/.*"msg":"token refused".*/)
    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      code: 'token_expired',
      detail: 'It has expired. Issue a new token with "plugboard token issue".',
    })
    expect(await child.stop()).toEqual({ code: 0, signal: null })
  })

  it('reports all mistakes of its file, and ends with 2', async () => {
    writeFileSync(join(folder, 'telephone.yaml'), 'servces: []\ntunnels: 99\n')
    const child = telephone(['start', '--config', 'telephone.yaml'])
    expect(await ended(child)).toBe(2)
    expect(child.output).toContain('telephone.yaml:1: unknown key "servces"')
    expect(child.output).toContain('telephone.yaml:2: 99 is too large')
    expect(child.output).not.toMatch(/\.ts:\d+/)
  })
})

describe('telephone check', () => {
  it('reports no problem of a working setup, and changes no state', async () => {
    const backend = await new ScriptedBackend().listen()
    const claims = { sub: 'me', jti: '1', exp: Math.floor(Date.now() / 1000) + 90_000, services: ['web'] }
    const token = ['{}', JSON.stringify(claims), 'x']
      .map(part => Buffer.from(part).toString('base64url'))
      .join('.')
    const child = telephone(['check', String(backend.port), '--service', 'web'], {
      ...given(),
      TELEPHONE_TOKEN: token,
    })
    expect(await ended(child)).toBe(0)
    expect(child.lines.map(line => line.replace(/\d{4,}|\d+ ms/g, 'N'))).toEqual([
      '✓ settings: web',
      '✓ token: issued to "me", valid for 1 day',
      '✓ 127.0.0.1: 127.0.0.1',
      '✓ http://127.0.0.1:N: replica replica-a, plugboard/test, connected in N',
      '✓ clock: within 2 s of the clock of Plugboard',
      '✓ data: N bytes through the tunnel and back in N',
      '✓ web: backend http://localhost:N',
    ])
    expect(plugboard.tunnels[0]?.announce).toBeUndefined()
    await backend.close()
  })

  it('warns about a token file that other users can read', async () => {
    const file = join(folder, 'telephone.jwt')
    writeFileSync(file, SECRET, { mode: 0o644 })
    chmodSync(file, 0o644)
    const args = ['1', '--service', 'web', '--plugboard', plugboard.url, '--token-file', file]
    const child = telephone(['check', ...args])
    await ended(child)
    expect(child.output).toContain(`! flag --token-file: Other users of this machine can read ${file}`)
    const running = telephone(['http', ...args])
    await running.waitForLine(/^! flag --token-file: Other users of this machine can read/)
    await running.waitForLine(/^✓ connected/)
    expect(await running.stop()).toEqual({ code: 0, signal: null })
  })

  it.runIf(process.platform === 'linux')(
    'with --container asks only the process beside it, which is healthy without a Plugboard',
    async () => {
      await plugboard.kill()
      const env = { ...given(), VERA_STATUS_SCOPE: `cli-${process.pid}` }
      const running = telephone(['start'], { ...env, TELEPHONE_TARGET: '1', TELEPHONE_SERVICE: 'web' })
      await running.waitForLine(/"msg":"dial failed"/)
      // Without settings, as in a container whose command has the settings as flags.
      const healthy = telephone(['check', '--container'], { VERA_STATUS_SCOPE: env.VERA_STATUS_SCOPE })
      expect(await ended(healthy)).toBe(0)
      expect(healthy.lines).toEqual([
        `✓ telephone, process ${running.pid}: connecting, 0 of 2 tunnels are open`,
      ])
    },
  )

  it('reports all problems', async () => {
    plugboard.refusal = { status: 401, body: JSON.stringify({ detail: 'This token has expired.' }) }
    const claims = { sub: 'me', jti: '1', exp: 1000, services: ['other'] }
    const token = ['{}', JSON.stringify(claims), 'x']
      .map(part => Buffer.from(part).toString('base64url'))
      .join('.')
    const child = telephone(['check', '1', '--service', 'web'], { ...given(), TELEPHONE_TOKEN: token })
    expect(await ended(child)).toBe(1)
    expect(child.lines.filter(line => line.startsWith('✗'))).toEqual([
      expect.stringMatching(/token: it expired \d+ days ago/),
      '✗ token: it does not cover service "web" (it covers other). Issue a token that does: plugboard token issue --name me --service other --service web',
      expect.stringMatching(/^✗ http:\/\/127\.0\.0\.1:\d+: This token has expired\.$/),
      '✗ web: Backend http://localhost:1 refused the connection (ECONNREFUSED). Start the backend, or correct the target.',
    ])
  })
})

it('reports a mistake on the command line in one line, with exit code 2', async () => {
  for (const [args, line] of [
    [['http', '3000', '--mont', 'x'], "telephone: unknown option '--mont'"],
    [['http'], "telephone: missing required argument 'target'"],
    [['htp'], "telephone: unknown command 'htp'"],
  ] as const) {
    const child = telephone([...args])
    expect(await ended(child)).toBe(2)
    expect(child.lines[0]).toBe(line)
  }
})
