// Tests the embedded Postgres with real processes. For root, as in a container, the temporary folder (mode 0700, owned by root)
// also simulates a project in a home folder that the user of the server cannot enter.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { silentLogger } from '@vera-stack/shared/log.ts'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { isAlive } from '../connection/is-alive.ts'
import { EmbeddedPostgres } from './embedded-postgres.ts'

// Each test creates one or two database servers on disk, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const WRITER = fileURLToPath(new URL('../../../test/support/postgres/postgres-writer.ts', import.meta.url))
const root = process.getuid?.() === 0

let parent: string
let folder: string
const running: EmbeddedPostgres[] = []
const children: ChildProcess[] = []
const logged: string[] = []
const log = {
  ...silentLogger,
  info: (message: string) => void logged.push(message),
  warn: (message: string) => void logged.push(message),
  error: (message: string, fields: object = {}) => void logged.push(`${message} ${inspect(fields)}`),
}

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'plugboard-embedded-'))
  folder = join(parent, `it's a "folder"`, 'data')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(running.splice(0).map(postgres => postgres.stop()))
  logged.length = 0
})
afterAll(() => rm(parent, { recursive: true }))

/**
 * The folder whose server is killed is created and run as in production. The other folders are temporary, without durability.
 */
async function start(where = folder): Promise<EmbeddedPostgres> {
  const postgres = await EmbeddedPostgres.start({ folder: where, log, durable: where === folder })
  running.push(postgres)
  return postgres
}

async function query(postgres: EmbeddedPostgres, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

function writer(args: readonly string[]) {
  const child = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return { child, lines: createInterface(child.stdout) }
}

/** Waits until `count` rows of the writer are acknowledged, then kills the processes of `victims` with -9. */
async function writeAndKill(count: number, victims: (parentPid: number) => Promise<readonly number[]>) {
  const { child, lines } = writer([folder])
  const acknowledged: number[] = []
  for await (const line of lines) {
    acknowledged.push(Number(line))
    if (acknowledged.length < count) continue
    for (const pid of await victims(child.pid!)) process.kill(pid, 'SIGKILL')
    break
  }
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return acknowledged
}

async function postmasterPid(where = folder): Promise<number> {
  return Number((await readFile(join(where, 'cluster/postmaster.pid'), 'utf8')).split('\n')[0])
}

const writtenRows = async (postgres: EmbeddedPostgres) =>
  (await query(postgres, 'SELECT number FROM written ORDER BY number')).map(row => row.number)

test('starts and stops in a folder with spaces and quotes, and keeps its data', async () => {
  const first = await start()
  await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer')
  const pid = await postmasterPid()
  await first.stop()
  // `stop` resolves when the lock file is removed. The process ends a little later.
  await eventually('its process has ended', () => (isAlive(pid) ? undefined : true))
  const second = await start()
  expect(await query(second, 'SELECT * FROM kept')).toEqual([{ answer: 42 }])
  expect(await query(second, 'SHOW fsync')).toEqual([{ fsync: 'on' }])
  expect(await query(second, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '' }])
})

test.runIf(process.platform === 'linux')('a path too long for a socket', async () => {
  const postgres = await start(join(parent, 'x'.repeat(120), 'data'))
  expect(await query(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
})

describe('after kill -9, all acknowledged rows exist', () => {
  test('when only the parent is killed, the next start takes over its Postgres', async () => {
    let orphan = 0
    const acknowledged = await writeAndKill(50, async parentPid => {
      orphan = await postmasterPid()
      return [parentPid]
    })
    const postgres = await start()
    expect(await postmasterPid()).toBe(orphan)
    expect(await writtenRows(postgres)).toEqual(expect.arrayContaining(acknowledged))
  })

  test('when both are killed at once', async () => {
    const acknowledged = await writeAndKill(50, async parentPid => [parentPid, await postmasterPid()])
    const postgres = await start()
    expect(await writtenRows(postgres)).toEqual(expect.arrayContaining(acknowledged))
  })

  test('when only Postgres is killed, it is started again', async () => {
    const postgres = await start()
    await query(postgres, 'CREATE TABLE before_the_crash AS SELECT 1 AS one')
    process.kill(await postmasterPid(), 'SIGKILL')
    await expect.poll(() => logged, { timeout: 10_000 }).toContain('the embedded database was restarted')
    expect(await query(postgres, 'SELECT * FROM before_the_crash')).toEqual([{ one: 1 }])
  })

  test('when another process stops Postgres while we are its client, it is started again', async () => {
    const postgres = await start()
    const before = await postmasterPid()
    process.kill(before, 'SIGTERM')
    await expect.poll(() => logged, { timeout: 10_000 }).toContain('the embedded database was restarted')
    expect(await postmasterPid()).not.toBe(before)
    expect(await query(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test.runIf(process.platform === 'linux')(
    'when the pid in its lock file belongs to another process',
    async () => {
      await start()
      await running.pop()!.stop()
      // Runs as the user of the server, because Postgres ignores processes of other users.
      const { uid, gid } = await stat(join(folder, 'cluster'))
      const owner = root ? { uid, gid } : {}
      const stranger = spawn('sleep', ['60'], owner)
      children.push(stranger)
      await once(stranger, 'spawn')
      await writeFile(
        join(folder, 'cluster/postmaster.pid'),
        `${stranger.pid}\n/nowhere\n1\n5432\n.\n\n  1 1\n`,
      )
      const postgres = await start()
      expect(await query(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
      expect(isAlive(stranger.pid!)).toBe(true)
    },
  )
})

describe('the password', () => {
  const hba = (where: string) => join(where, 'cluster/pg_hba.conf')
  const passwordFile = (where: string) => join(where, 'password')
  const openToAll = async (where: string) => {
    await writeFile(hba(where), '# as older versions wrote it\nlocal all all trust # nothing asked\n')
  }
  /** The response of the server to a connection with this password. */
  const answerTo = async (postgres: EmbeddedPostgres, password: string) => {
    const url = postgres.url.replace(/:[0-9a-z]+@/, `:${password}@`)
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined)
    return await client.connect().then(
      () => client.end().then(() => 'accepted'),
      (error: { code?: string }) => error.code,
    )
  }

  test('is random, private, and required', async () => {
    const where = join(parent, 'with-password')
    const postgres = await start(where)
    expect((await stat(passwordFile(where))).mode & 0o777).toBe(0o600)
    expect(await readFile(passwordFile(where), 'utf8')).toMatch(/^[0-9a-f]{48}\n$/)
    expect(await answerTo(postgres, 'wrong')).toBe('28P01')
    expect(postgres.url).toContain((await readFile(passwordFile(where), 'utf8')).trim())
  })

  test('is required after the next start of a folder without a password', async () => {
    const where = join(parent, 'without-password')
    const before = await start(where)
    await query(before, 'CREATE TABLE kept AS SELECT 42 AS answer')
    await query(before, 'ALTER ROLE plugboard PASSWORD NULL')
    await running.pop()!.stop()
    await openToAll(where)
    await rm(passwordFile(where))
    const postgres = await start(where)
    expect(logged).toContain('the embedded database now requires a password')
    expect(await answerTo(postgres, 'wrong')).toBe('28P01')
    expect(await query(postgres, 'SELECT * FROM kept')).toEqual([{ answer: 42 }])
    expect(await readFile(hba(where), 'utf8')).toBe(
      '# as older versions wrote it\nlocal all all scram-sha-256 # nothing asked\n',
    )
    if (root) expect((await stat(hba(where))).uid).toBe((await stat(join(where, 'cluster'))).uid)
  })

  test('is required by a running server of an older version after it is taken over', async () => {
    const where = join(parent, 'orphan-without-password')
    await start(where)
    await running.pop()!.stop()
    const { child, lines } = writer([where])
    await once(lines, 'line')
    const password = (await readFile(passwordFile(where), 'utf8')).trim()
    const url = `postgres://plugboard:${password}@/postgres?host=${encodeURIComponent(join(where, 'cluster'))}`
    await openToAll(where)
    await query({ url } as EmbeddedPostgres, 'SELECT pg_reload_conf()')
    await eventually('it requires no password', async () =>
      (await answerTo({ url } as EmbeddedPostgres, 'wrong')) === 'accepted' ? true : undefined,
    )
    child.kill('SIGKILL')
    await once(child, 'exit')
    const postgres = await start(where)
    await eventually('it requires the password', async () =>
      (await answerTo(postgres, 'wrong')) === '28P01' ? true : undefined,
    )
    expect(await query(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test.each(['is missing', 'is another one'])('is set again when its file %s', async what => {
    const where = join(parent, `password-${what.replaceAll(' ', '-')}`)
    await start(where)
    await running.pop()!.stop()
    const before = await readFile(passwordFile(where), 'utf8')
    if (what === 'is missing') await rm(passwordFile(where))
    else await writeFile(passwordFile(where), 'anotherpassword0123')
    const postgres = await start(where)
    expect(await query(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect(await answerTo(postgres, before.trim())).toBe('28P01')
  })

  test('is reported with the process when a running server does not accept it', async () => {
    const where = join(parent, 'password-of-another')
    const owner = await start(where)
    await writeFile(passwordFile(where), 'anotherpassword0123')
    await expect(start(where)).rejects.toThrow(
      `The embedded Postgres (process ${await postmasterPid(where)}) does not accept the password in ${passwordFile(where)}`,
    )
    expect(await query(owner, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('is rejected before the cluster is changed when it is malformed', async () => {
    const where = join(parent, 'bad-password')
    await mkdir(where)
    await writeFile(passwordFile(where), "it's")
    await expect(start(where)).rejects.toThrow('holds no password of letters and digits')
  })
})

describe('a start fails with one line', () => {
  const refusal = async (where = folder) => {
    const error = await start(where).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ name: 'StartupError', message: expect.not.stringContaining('\n') })
    return (error as Error).message
  }

  test('when the folder is in use', async () => {
    const postgres = await start()
    expect(await refusal()).toBe(
      `The data folder ${folder} is in use by another plugboard (plugboard process ${process.pid}).`,
    )
    expect(await query(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('when a file has the name of the folder', async () => {
    await writeFile(join(parent, 'file'), '')
    expect(await refusal(join(parent, 'file'))).toMatch(/cannot be made: a file is in its place\.$/)
    expect(await refusal(join(parent, 'file', 'data'))).toMatch(/cannot be made: a file is in its place\.$/)
  })

  test('when another major version wrote the cluster', async () => {
    const old = join(parent, 'old')
    await mkdir(join(old, 'cluster'), { recursive: true })
    await writeFile(join(old, 'cluster/PG_VERSION'), '12\n')
    expect(await refusal(old)).toMatch(/was written by Postgres 12, and this is Postgres 18/)
  })

  test('when files are damaged', async () => {
    const damaged = join(parent, 'damaged')
    await start(damaged)
    await running.pop()!.stop()
    await rm(join(damaged, 'cluster/global/pg_control'))
    expect(await refusal(damaged)).toMatch(/^Postgres did not start: .*pg_control/)
  })

  test.skipIf(root && process.platform !== 'linux')('the folder is not writable', async () => {
    // Root may write everywhere, but no user can create a folder in the file system of the kernel.
    const closed = root ? '/sys' : await mkdtemp(join(tmpdir(), 'plugboard-closed-'))
    if (!root) await chmod(closed, 0o555)
    try {
      const data = join(closed, 'vera-stack', 'data')
      expect(await refusal(data)).toBe(`The data folder ${data} is not writable.`)
    } finally {
      if (!root) await rm(closed, { recursive: true })
    }
  })
})

test('of two first starts at the same time, only one gets the folder', async () => {
  const contested = join(parent, 'contested')
  const outcomes = await Promise.all(
    [1, 2].map(async () => {
      const { child, lines } = writer([contested])
      const [line] = (await once(lines, 'line')) as [string]
      return { child, line }
    }),
  )
  const lines = outcomes.map(({ line }) => line).sort()
  expect(lines).toEqual(['1', expect.stringMatching(/^refused: .* is in use by another plugboard/)])
  for (const { child } of outcomes) child.kill('SIGKILL')
  await start(contested)
})
