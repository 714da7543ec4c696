// Tests the flags for traffic policies and maintenance against a real admin API: limits, policy files, exceptions, and the way
// of these keys through `plugboard export` and `plugboard import`.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AdminApiHarness } from '../../test/support/admin-api/admin-api.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres/postgres.ts'
import { type AdminServer, startAdminServer } from '../admin/admin-server.ts'
import { runCommandLine } from './command-line.ts'

const NOW = Date.parse('2026-12-24T12:00:00Z')

let database: TestDatabase
let api: AdminApiHarness
let server: AdminServer
let folder: string

beforeEach(async () => {
  database = await createTestDatabase()
  api = await AdminApiHarness.create(database.open().store)
  const listen = { host: '127.0.0.1', port: 0 }
  server = await startAdminServer({ app: api.app, listen, log: silentLogger })
  folder = await mkdtemp(join(tmpdir(), 'policy-flags-'))
})
afterEach(async () => {
  await server.stop(1000)
  await database.drop()
  await rm(folder, { recursive: true })
})

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await runCommandLine(args, {
    terminal: {
      out: text => void out.push(text),
      err: text => void err.push(text),
      colours: false,
    },
    env: { PLUGBOARD_URL: `http://127.0.0.1:${server.address.port}`, PLUGBOARD_API_KEY: api.adminKey },
    cwd: folder,
    now: () => NOW,
    interrupted: () => new AbortController().signal,
  })
  return { code, out: out.join(''), err: err.join('') }
}

/** Runs a command that must succeed. The words of the line are its arguments. Resolves with its output. */
async function ok(line: string): Promise<string> {
  const { code, out, err } = await run(...line.split(' '))
  expect({ line, code, err: code === 0 ? '' : err }).toEqual({ line, code: 0, err: '' })
  return out
}
async function refused(line: string): Promise<string> {
  const { code, err } = await run(...line.split(' '))
  expect({ line, failed: code !== 0 }).toEqual({ line, failed: true })
  expect(err.trim().split('\n'), line).toHaveLength(1)
  return err
}

const options = async () => (await api.call('GET', '/v1/routes/a.test')).body.options
const policy = async () => (await api.call('GET', '/v1/services/shop')).body.policy

test('--limit adds limits to a route, replaces the one with the same name, and keeps its other fields', async () => {
  await ok('route add a.test --service shop --create-service --limit login:5/1m --limit-key address')
  expect(await options()).toEqual({
    rateLimits: [{ name: 'login', limit: 5, windowSeconds: 60, key: ['address'] }],
  })
  await ok('route set a.test --limit plan:10000/1d --limit all:100/s --limit-key host,header:X-API-Key')
  await ok(
    'route set a.test --option rateLimits=[{"name":"login","limit":5,"windowSeconds":60,"match":{"path":"/login"}}]',
  )
  await ok('route set a.test --limit login:10/30s --limit all:100/s --limit-key all')
  expect(await options()).toEqual({
    rateLimits: [
      { name: 'login', limit: 10, windowSeconds: 30, match: { path: '/login' }, key: [] },
      { name: 'all', limit: 100, windowSeconds: 1, key: [] },
    ],
  })
  await ok('route set a.test --no-limit --strip-mount')
  expect(await options()).toEqual({ stripMount: true })
})

test('--limit of a service stands beside its other policy', async () => {
  await ok('service add shop --policy retries=1 --limit plan:10000/1d --limit-key claim:/sub,cookie:session')
  expect(await policy()).toEqual({
    retries: 1,
    rateLimits: [
      { name: 'plan', limit: 10_000, windowSeconds: 86_400, key: [{ claim: '/sub' }, { cookie: 'session' }] },
    ],
  })
  await ok('service set shop --limit burst:5/s')
  expect((await policy()).rateLimits).toHaveLength(2)
  expect(await ok('service set shop --no-limit')).toBe('service shop changed (version 3)\n')
  expect(await policy()).toEqual({ retries: 1 })
})

test('two changes of the limits at the same time cannot lose one of them', async () => {
  await ok('service add shop --limit a:1/s')
  await ok('service set shop --limit b:1/s')
  expect(await refused('service set shop --limit c:1/s --if-match 1')).toContain('version 2 now')
  expect((await policy()).rateLimits).toHaveLength(2)
})

test.each([
  ['--limit login:5', '--limit: "login:5" is not of the form NAME:COUNT/WINDOW, such as login:5/1m'],
  ['--limit 5/1m', 'is not of the form NAME:COUNT/WINDOW'],
  ['--limit login:5/soon', '--limit login: "1soon" is not a duration such as 500ms, 30s'],
  ['--limit login:5/1500ms', 'the window 1500ms is not a whole number of seconds; write 1s or longer'],
  ['--limit login:5/100d', '--limit login: the window 100d is longer than 31d; write 31d or less'],
  ['--limit a:1/s --limit login:0/1m', '--limit login: the count 0 is out of range; write 1 to 1000000000'],
  ['--limit login:1000000001/1m', '--limit login: the count 1000000001 is out of range'],
  [`--limit ${'x'.repeat(65)}:1/s`, 'the name has more than 64 characters'],
  ['--limit a:1/s --limit a:2/s', '--limit: a is given twice; choose another name for one of them'],
  ['--limit-key address', '--limit-key needs --limit NAME:COUNT/WINDOW'],
  ['--limit a:1/s --limit-key adress', '--limit-key: "adress" is unknown; use address, host, tenant'],
  ['--limit a:1/s --limit-key all,host', '--limit-key: all counts all clients together; give it alone'],
  ['--limit a:1/s --limit-key claim:sub', 'is not a JSON pointer: write /sub'],
  ['--limit a:1/s --limit-key user', 'needs "access.jwt" or "access.basic"'],
  ['--maintenance-until 2h', '--maintenance-until needs --maintenance'],
  [
    '--maintenance --maintenance-until 2020-01-01T00:00:00Z',
    '--maintenance-until: 2020-01-01T00:00:00Z is in the past; write a later time, or --no-maintenance',
  ],
  ['--maintenance --maintenance-until 104000000d', '--maintenance-until: 104000000d is too long'],
  ['--no-maintenance --maintenance-except ::1', '--maintenance-except needs --maintenance'],
  [
    '--maintenance --maintenance-until tomorrow',
    '--maintenance-until: is not a time with a zone: write 2026-',
  ],
  ['--maintenance --maintenance-except inside', '--maintenance-except: is not an address or a network'],
])('route set %s is refused with the remedy', async (flags, message) => {
  await ok('route add a.test --service shop --create-service')
  expect(await refused(`route set a.test ${flags}`)).toContain(message)
  expect(await options()).toEqual({})
})

test('--policy-file sets the keys of the file, in JSON or YAML, and --policy takes precedence', async () => {
  await writeFile(
    join(folder, 'p.yaml'),
    'retries: 1\nbalancing: random\nrateLimits:\n  - {name: a, limit: 5}\n',
  )
  await writeFile(join(folder, 'p.json'), '{"retries": null, "maxStreams": 9}')
  await ok('service add shop --policy-file p.yaml --policy balancing=round_robin --limit b:1/s')
  expect(await policy()).toEqual({
    retries: 1,
    balancing: 'round_robin',
    rateLimits: [
      { name: 'a', limit: 5 },
      { name: 'b', limit: 1, windowSeconds: 1 },
    ],
  })
  await ok('service set shop --policy-file p.json')
  expect(await policy()).toMatchObject({ balancing: 'round_robin', maxStreams: 9 })
  expect(await policy()).not.toHaveProperty('retries')
})

test('a policy file that cannot be used is refused with its name and the reason', async () => {
  await ok('service add shop')
  await writeFile(join(folder, 'list.yaml'), '- retries: 1\n')
  await writeFile(join(folder, 'key.yaml'), 'retrys: 1\n')
  await writeFile(join(folder, 'broken.json'), '{"retries": ')
  const set = (file: string) => refused(`service set shop --policy-file ${file}`)
  expect(await set('list.yaml')).toContain('--policy-file: list.yaml must contain an object of a policy')
  expect(await set('none.yaml')).toContain('--policy-file: none.yaml cannot be used (ENOENT)')
  expect(await set('key.yaml')).toContain('policy.retrys: unknown field')
  expect((await run('service', 'set', 'shop', '--policy-file', 'broken.json')).err).toContain(
    '--policy-file: broken.json cannot be used (',
  )
  expect(await refused('service set shop')).toContain(
    'give --name, --policy, --policy-file, --limit or --inspect',
  )
})

test('--maintenance has exceptions and an end, as a duration from now or a time', async () => {
  await ok('route add a.test --service shop --create-service')
  await ok('route set a.test --maintenance Later. --maintenance-except 10.0.0.0/8,::1 --maintenance-until 2h')
  expect((await options()).respond).toEqual({
    status: 503,
    body: 'Later.\n',
    retryAfterSeconds: 60,
    except: ['10.0.0.0/8', '::1'],
    until: '2026-12-24T14:00:00.000Z',
  })
  await ok('route set a.test --maintenance --maintenance-until 2026-12-25T08:00:00+01:00')
  expect((await options()).respond).toMatchObject({ until: '2026-12-25T08:00:00+01:00' })
  expect((await options()).respond).not.toHaveProperty('except')
  await ok('route set a.test --no-maintenance')
  expect(await options()).toEqual({})
  expect(await refused('route add b.test --maintenance --maintenance-until 2h')).toContain(
    'is required, because the option "respond" has "except", "from" or "until"',
  )
})

test('export and import carry the keys of traffic policy and of fixed responses unchanged', async () => {
  const rateLimits = [
    { name: 'login', limit: 5, windowSeconds: 60, burst: 2, key: ['address', { header: 'X-API-Key' }] },
    {
      name: 'plan',
      limit: 10_000,
      windowSeconds: 86_400,
      key: [],
      onMissing: 'skip',
      match: { path: '/api', methods: ['POST'] },
      count: 'responseBytes',
      scope: 'replica',
      enforce: false,
      headers: false,
    },
  ]
  const wanted = {
    rateLimits,
    respond: {
      status: 503,
      except: ['::1'],
      from: '2026-12-24T18:00:00Z',
      until: '2026-12-25T08:00:00+01:00',
    },
  }
  const wantedPolicy = {
    rateLimits,
    balancing: 'hash',
    hashOn: { cookie: 'session' },
    slowStartMs: 5000,
    whenAllDown: 'try',
    maxStreamsPerTelephone: 9,
    retryBudgetPercent: 5,
    retryStatuses: [503],
    tryTimeoutMs: 2000,
    sticky: { cookie: { name: 'node', ttlSeconds: 60 } },
    subsets: [{ name: 'canary', select: { labels: { track: 'canary' } }, percent: 0.5 }],
    splitBy: 'address',
    mirror: { to: 'canary', percent: 10, methods: ['POST'], maxBodyBytes: 1024 },
  }
  const created = [
    await api.call('POST', '/v1/services', { body: { name: 'shop', policy: wantedPolicy } }),
    await api.call('POST', '/v1/routes', { body: { mount: 'a.test', service: 'shop', options: wanted } }),
  ]
  expect(created).toMatchObject([{ status: 201 }, { status: 201 }])
  for (const format of ['yaml', 'json']) {
    await ok(`export --output ${format} --file bundle.${format}`)
    expect(await ok(`import bundle.${format}`)).toBe('nothing to do\n')
    await ok('route rm a.test')
    await ok('service rm shop')
    await ok(`import bundle.${format}`)
    expect([format, await options(), await policy()]).toEqual([format, wanted, wantedPolicy])
  }
  expect(await readFile(join(folder, 'bundle.yaml'), 'utf8')).not.toContain('requires')
})
