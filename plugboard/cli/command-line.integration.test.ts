// Tests the command line against a real admin API: arguments, output and exit codes.

import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { AdminApiHarness } from '../../test/support/admin-api/admin-api.ts'
import { SAMPLE_TELEPHONE } from '../../test/support/admin-api/sample-telephone.ts'
import { harnessRoute } from '../../test/support/harness/proxy-harness.ts'
import { makeLine } from '../../test/support/harness/registry-cluster.ts'
import { past } from '../../test/support/postgres/past.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres/postgres.ts'
import { administer } from '../../test/support/postgres/postgres-setup.ts'
import { type AdminServer, startAdminServer } from '../admin/admin-server.ts'
import { asRouteId, asServiceId } from '../common/ids/row-ids.ts'
import type { Store } from '../database/store/store.ts'
import { createProxyCounters } from '../proxy/counters.ts'
import type { DirectoryRoute } from '../routes/directory.ts'
import { runCommandLine } from './command-line.ts'

let database: TestDatabase
let store: Store
let api: AdminApiHarness
let server: AdminServer
let folder: string
let env: Record<string, string>
let interrupt: AbortController

beforeEach(async () => {
  database = await createTestDatabase()
  store = database.open().store
  api = await AdminApiHarness.create(store)
  server = await startAdminServer({
    app: api.app,
    listen: { host: '127.0.0.1', port: 0 },
    log: silentLogger,
  })
  folder = await mkdtemp(join(tmpdir(), 'cli-'))
  env = { PLUGBOARD_URL: `http://127.0.0.1:${server.address.port}`, PLUGBOARD_API_KEY: api.adminKey }
  interrupt = new AbortController()
})
afterEach(async () => {
  await server.stop(1000)
  await database.drop()
  await rm(folder, { recursive: true })
})

interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(line: string, onOut: (text: string) => void = () => undefined): Promise<Run> {
  let out = ''
  let err = ''
  const code = await runCommandLine(line.split(' '), {
    terminal: {
      out: text => {
        out += text
        onOut(out)
      },
      err: text => {
        err += text
      },
      colours: false,
    },
    env,
    cwd: folder,
    now: Date.now,
    interrupted: () => interrupt.signal,
  })
  return { code, out, err }
}

/** Adds a service "shop" with a route to the memory of the replica. Each request is forwarded. */
function shownRoute(api: AdminApiHarness): { readonly route: DirectoryRoute } {
  const route = harnessRoute({ host: '*.shop.test', mountPath: '/api', service: 'shop' })
  const service = { ...route.service, id: asServiceId('0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5f') }
  const shown = { ...route, id: asRouteId('0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e'), service }
  api.services.push(service)
  api.routesOfServices.push(shown)
  api.dryRun = ({ host, target }) =>
    Promise.resolve({ host, path: target, route: shown, response: undefined })
  return { route: shown }
}

/** Runs a command that must succeed. Resolves with its output. */
async function ok(line: string): Promise<string> {
  const { code, out, err } = await run(line)
  expect({ line, code, err: code === 0 ? '' : err }).toEqual({ line, code: 0, err: '' })
  return out
}

describe('routes and services', () => {
  test('adds, changes and deletes a route and its service', async () => {
    expect((await run('route list')).err).toContain('No routes. Add one')
    const missing = await run('route add app.localhost/api --service shop')
    expect(missing).toMatchObject({ code: 1, out: '' })
    expect(missing.err).toBe('plugboard: There is no service "shop". Add --create-service to create it.\n')

    expect(await ok('route add app.localhost/api --service shop --create-service --strip-mount')).toBe(
      'route app.localhost/api → shop added\n',
    )
    expect(await ok('route list')).toMatch(
      /^MOUNT +SERVICE +OPTIONS.*\napp\.localhost\/api +shop +stripMount=true/,
    )
    expect(await ok('route show app.localhost/api')).toMatch(/^service +shop$/m)

    await ok('service add shop-v2')
    await ok('route set app.localhost/api --tenant-header X-Tenant')
    expect(await ok('route list')).toContain('stripMount=true tenantHeader=X-Tenant')
    await ok('route set app.localhost/api --no-tenant-header')
    expect(await ok('route set app.localhost/api --service shop-v2 --no-strip-mount')).toContain(
      '(version 4)',
    )
    const [row] = JSON.parse(await ok('route ls --output json')) as Record<string, unknown>[]
    expect(row).toMatchObject({
      mount: 'app.localhost/api',
      service: 'shop-v2',
      options: { stripMount: false },
    })
    expect(await ok('route set app.localhost/api --mount app.localhost/v2')).toContain('app.localhost/v2')
    expect(await ok('route rm app.localhost/v2')).toBe('route app.localhost/v2 deleted\n')
    expect(await ok('route list --deleted --output json')).toContain('app.localhost/v2')
  })

  test('lists routes without requests, and deletes them with --yes', async () => {
    await ok('route add used.localhost --service shop --create-service')
    await ok('route add unused.localhost --service shop')
    expect((await run('route prune --unused-for 30d')).err).toBe(
      'No route was without a request for 30d of recorded time. Replicas have recorded requests for 0s.\n',
    )
    const { routeActivity, routes } = store
    const { id } = await routes.get('used.localhost')
    await routeActivity.record([])
    await past(database.url, '50 days', true)
    await routeActivity.record([{ routeId: id, servedAgeMs: 180_000, telephone: 'laptop' }])
    expect(await ok('route list')).toMatch(/^used\.localhost .* 3m ago by laptop$/m)
    expect(await ok('route show used.localhost')).toMatch(/^by telephone +laptop$/m)
    const listed = await run('route prune --unused-for 30d')
    expect(listed.out).toMatch(/^MOUNT .*\nunused\.localhost +shop +- +- +50d ago\n$/)
    expect(listed.err).toBe('1 route without a request for 30d of recorded time; --yes deletes them\n')
    const deleted = await run('route prune --unused-for 30d --yes --json')
    expect(JSON.parse(deleted.out)).toMatchObject({ dryRun: false, items: [{ mount: 'unused.localhost' }] })
    const left = await ok('route list')
    expect(left).not.toContain('unused.localhost')
    for (const row of left.split('\n')) expect(row.length).toBeLessThanOrEqual(100)
    expect((await run('route prune --unused-for 5m')).err).toContain(
      'plugboard: --unused-for: "5m" is out of range: from 1h to 3650d',
    )
  })

  test('shows routes of claims with a lifetime, and does not export them', async () => {
    const token = {
      reference: { kind: 'outside', issuer: 'https://issuer.test', subject: 'ada', id: '1' },
      services: ['*'],
      mounts: ['*'],
      maxClaims: 9,
    } as const
    await store.claimMount({ service: 'otter-1', mount: 'otter.localhost', lifetimeMs: 5_400_000, token })
    expect(await ok('route list')).toContain('kept for 1h 30m')
    expect(await ok('route show otter.localhost')).toMatch(/^lifetime +1h 30m$/m)
    expect(await ok('export')).not.toContain('otter')
    expect(await ok('export --claimed')).toContain('otter-1')
  })

  test('--if-match rejects a change after a concurrent change', async () => {
    await ok('service add shop')
    await ok('service set shop --policy retries=1')
    const stale = await run('service set shop --policy retries=5 --if-match 1')
    expect(stale.code).toBe(1)
    expect(stale.err).toContain('version 2 now')
    expect((await run('service rm shop --if-match 1')).code).toBe(1)
    await ok('service set shop --policy retries=5 --if-match *')
    await ok('service rm shop --if-match 3')
  })

  test('accepts durations, sizes and JSON as values of a policy', async () => {
    await ok(
      'service add shop --policy idleTimeoutMs=5m --policy maxRequestBodyBytes=10MB --policy hostHeader=backend',
    )
    await ok('service set shop --policy hostHeader={"fixed":"inner.test"} --policy idleTimeoutMs=null')
    const row = parse(await ok('service show shop --output yaml')) as { policy: unknown }
    expect(row.policy).toEqual({ maxRequestBodyBytes: 10_000_000, hostHeader: { fixed: 'inner.test' } })
    const wrong = await run('service set shop --policy retries=99 --policy colour=red')
    expect(wrong.err).toContain('--policy colour: unknown field')
    expect(wrong.err).toContain('--policy retries: ')
    expect((await run('route add a.test --redirect nowhere')).err).toContain('plugboard: --redirect: ')
    expect((await run('route test a.test/%zz -X get!')).err).toContain('plugboard: --method: ')
    expect((await run('service set shop --policy retries')).code).toBe(2)
    expect((await run('service set shop --policy idleTimeoutMs=soon')).err).toContain('is not a duration')
  })

  test('sets the access rules and header fields of a route with flags', async () => {
    await writeFile(join(folder, 'password'), 'correct horse\n')
    await ok(
      'route add a.test --service shop --create-service --allow-ip 10.0.0.0/8,::1 --basic-user ada --password-file password ' +
        '--cors-origin https://app.test --hsts off --set-header X-From:{clientAddress}',
    )
    const options = async () => (await api.call('GET', '/v1/routes/a.test')).body.options
    const before = await options()
    expect(before).toMatchObject({
      access: {
        allow: ['10.0.0.0/8', '::1'],
        basic: { users: [{ name: 'ada', hash: expect.stringMatching(/^\$scrypt/) }] },
      },
      cors: { origins: ['https://app.test'] },
      hsts: false,
      requestHeaders: { set: { 'X-From': '{clientAddress}' } },
    })
    for (const line of ['route list', 'route show a.test', 'route show a.test -o json', 'changes -o json']) {
      expect(await ok(line)).not.toContain('scrypt')
    }
    await ok(
      'route set a.test --basic-user bob --password-file password --no-allow-ip --remove-header Cookie --no-hsts',
    )
    expect(await options()).toEqual({
      access: { basic: { users: [before.access.basic.users[0], { name: 'bob', hash: expect.any(String) }] } },
      cors: before.cors,
      requestHeaders: { ...before.requestHeaders, remove: ['Cookie'] },
    })
    await ok('route set a.test --remove-basic-user ada')
    expect((await run('route set a.test --remove-basic-user bob')).err).toContain(
      'the route has no other user',
    )
    expect((await run('route set a.test --remove-basic-user eve')).err).toContain(
      '--remove-basic-user: the route has no user eve',
    )
    await ok('export --file bundle.yaml')
    expect(await ok('import bundle.yaml')).toBe('nothing to do\n')
    await ok('route rm a.test')
    await ok('import bundle.yaml')
    expect((await options()).access.basic.users).toMatchObject([{ name: 'bob' }])
  })

  test('manages routes without a service, with a response of Plugboard itself', async () => {
    expect(await ok('route add old.test --redirect https://new.test --redirect-status 301')).toBe(
      'route old.test → (Plugboard responds) added\n',
    )
    await ok('route set old.test --no-redirect --maintenance Later.')
    await ok('export --file bundle.yaml')
    await ok('route rm old.test')
    expect(await ok('import bundle.yaml --dry-run')).toBe('+ route old.test → (Plugboard responds)\n')
    await ok('import bundle.yaml')
    expect((await api.call('GET', '/v1/routes/old.test')).body).toMatchObject({
      service: null,
      options: { respond: { status: 503, body: 'Later.\n', retryAfterSeconds: 60 } },
    })
    await writeFile(
      join(folder, 'old.yaml'),
      (await readFile(join(folder, 'bundle.yaml'), 'utf8')).replace('respond:', 'answer:'),
    )
    await ok('route rm old.test')
    const old = await run('import old.yaml')
    expect(old).toMatchObject({ code: 2, out: '' })
    expect(old.err).toMatch(/old\.yaml.*options\.answer: this option is named "respond" now: rename the key/)
    expect(old.err).not.toContain('is required')
    expect((await run('route show old.test')).code).toBe(1)
    for (const flags of ['--option answer={}', '--option answer={} --service shop']) {
      const { code, err } = await run(`route add old.test ${flags}`)
      expect([code, err], flags).toEqual([
        2,
        expect.stringContaining('"answer": this option is named "respond" now'),
      ])
    }
    await ok('import bundle.yaml')
    await writeFile(join(folder, 'options.yaml'), 'respond: {status: 200, body: ok}\nallowHttp: true\n')
    await ok('route set old.test --options-file options.yaml --option stripMount=true')
    expect(await ok('route list')).toContain(
      'respond={"body":"ok","status":200} allowHttp=true stripMount=true',
    )
  })

  test('a conflict names the other route, and the command that deletes it', async () => {
    await ok('route add app.localhost --service shop --create-service')
    const { code, err } = await run('route add app.localhost/api --service shop')
    expect(code).toBe(1)
    expect(err).toContain('app.localhost')
    expect(err.trim().split('\n')).toHaveLength(1)
    const [, id] =
      /Choose another mount, or delete the other route: plugboard route rm (\S+)\n$/.exec(err) ?? []
    expect(await ok(`route rm ${id}`)).toBe('route app.localhost deleted\n')
    await ok('route add app.localhost/api --service shop')
  })

  test('telephone disconnect closes the tunnels of one telephone, and --dry-run only counts them', async () => {
    api.telephones.push({ ...SAMPLE_TELEPHONE, name: 'laptop' }, { ...SAMPLE_TELEPHONE, name: 'other' })
    const command = 'telephone disconnect laptop --output json'
    expect(JSON.parse(await ok(`${command} --dry-run`))).toMatchObject({ tunnels: 1 })
    expect(api.disconnected).toEqual([])
    expect(JSON.parse(await ok(command))).toMatchObject({ tunnels: 1 })
    expect(api.disconnected.map(([name]) => name)).toEqual(['laptop'])
  })

  test('route rm, route prune --yes and route set --mount name the connected telephones that claim the mount again', async () => {
    const connect = (name: string, tunnel: string, mounts: string[]) =>
      api.telephones.push({
        ...{ id: tunnel, name, instance: name, agent: 'telephone/0.1.0', remoteAddress: '10.0.0.1' },
        ...{
          connectedAt: new Date().toISOString(),
          tokenId: 't',
          tokenExpiresAt: null,
          streams: 0,
          rttMs: null,
          replicaId: 'r1',
        },
        services: [
          {
            service: 'shop',
            mounts,
            health: 'up',
            weight: 1,
            version: '',
            labels: {},
            outage: null,
            override: null,
            ejections: [],
            subsetStops: [],
          },
        ],
      })
    const add = () => ok('route add app.localhost --service shop')
    await ok('service add shop')
    connect('other', 'tunnel-0', ['other.localhost'])
    await add()
    await ok('route rm app.localhost')

    connect('laptop', 'tunnel-1', ['app.localhost'])
    connect('laptop', 'tunnel-2', ['app.localhost'])
    await add()
    expect(await run('route rm app.localhost')).toEqual({
      code: 0,
      out: 'route app.localhost deleted\n',
      err:
        'note: telephone laptop is connected with app.localhost and claims it again when it reconnects; ' +
        'to keep the mount free, stop the telephone or revoke its token\n',
    })
    for (const name of ['a', 'b', 'c']) connect(name, `tunnel-${name}`, ['app.localhost'])
    await add()
    expect((await run('route rm app.localhost')).err).toContain(
      'note: telephones a, b, c and 1 more are connected with app.localhost and claim it again',
    )

    await add()
    expect((await run('route set app.localhost --mount moved.localhost')).err).toContain(
      'are connected with app.localhost and claim it again',
    )
    await ok('route rm moved.localhost')

    await add()
    await store.routeActivity.record([])
    await past(database.url, '50 days', true)
    await store.routeActivity.record([])
    expect((await run('route prune --unused-for 30d')).err).not.toContain('note:')
    expect((await run('route prune --unused-for 30d --yes')).err).toContain(
      '1 route deleted\nnote: telephones a, b, c and 1 more are connected with app.localhost and claim it again',
    )

    await add()
    const { key } = await api.key(['routes:*'])
    expect(await run(`route rm app.localhost --api-key ${key}`)).toMatchObject({ code: 0, err: '' })
  })

  test('reads all pages of a long list', async () => {
    await ok('service add shop')
    await administer(
      database.url,
      `INSERT INTO plugboard.routes (host, mount_path, service_id)
       SELECT 'h' || number || '.test', '/', id FROM plugboard.services, generate_series(1, 520) AS number`,
    )
    expect((JSON.parse(await ok('route list -o json')) as unknown[]).length).toBe(520)
  })
})

describe('credentials', () => {
  test('writes a new token alone to the standard output', async () => {
    const { out, err, code } = await run(
      'token issue --name shop-1 --service shop,cart --mount a.test --ttl 1h',
    )
    expect(code).toBe(0)
    expect(out).toMatch(/^header\.[\w-]+\.signature\n$/)
    expect(err).toContain('It is shown only once:')
    const [row] = JSON.parse(await ok('token list -o json')) as { id: string; services: string[] }[]
    expect(row?.services).toEqual(['shop', 'cart'])
    expect((await run(`token revoke ${row?.id} shop-1`)).err).toContain(
      '"shop-1" is not an id: "plugboard token list"',
    )
    expect((await run('key revoke deploy')).err).toContain('"deploy" is not an id: "plugboard key list"')
    expect(await ok(`token revoke ${row?.id}`)).toContain('revoked')
    expect((await run('token list --active')).err).toContain('No tokens')
    expect((await run('token issue --name x')).err).toContain('can serve no service')
  })

  test('issues a token with limits; the list and the status show their usage', async () => {
    const flags = '--max-tunnels 3 --max-claims 0 --max-announcements 60'
    await ok(`token issue --name device-7 --service device ${flags}`)
    const [row] = JSON.parse(await ok('token list -o json')) as { limits: object }[]
    expect(row?.limits).toEqual({ tunnels: 3, claims: 0, announcementsPerMinute: 60 })
    expect(await ok('token list')).toMatch(/ 0 of 3 +0 of 0 /)
    for (const bad of ['many', '-1', '1.5']) {
      const { code, err } = await run(`token issue --name x --service y --max-tunnels=${bad}`)
      expect([code, err]).toEqual([2, expect.stringContaining('Give a whole number')])
    }
    expect((await run('token issue --name x --service y --max-tunnels 0')).err).toContain('--max-tunnels: ')
    expect(await ok('status')).not.toContain('over token limits')
    api.tokenRefusals = { tunnels: 4, claims: 1, announcements: 0 }
    expect(await ok('status')).toMatch(/over token limits +4 tunnels, 1 claims, 0 announcements refused/)
  })

  test('an API key is accepted within its scopes until it is revoked', async () => {
    const key = (await ok('key create --name ci --scope routes:read')).trim()
    const [row] = JSON.parse(await ok('key list -o json')) as { id: string }[]
    expect((await run(`route list --api-key ${key}`)).code).toBe(0)
    expect((await run(`service list --api-key ${key}`)).err).toContain('lacks the scope services:read')
    await ok(`key revoke ${row?.id}`)
    expect((await run(`route list --api-key ${key}`)).err).toContain('revoked')
  })

  test('creates a key with limits, and revokes the last admin key only with --force', async () => {
    const key = (
      await ok(
        'key create --name shop --scope tokens:write --limit-service shop-*,cart --limit-mount shop.test',
      )
    ).trim()
    expect(await ok('key list')).toContain('shop-* cart at shop.test')
    env.PLUGBOARD_API_KEY = key
    expect((await run('token issue --name x --service bank')).err).toContain('beyond the limits of your key')
    await ok('token issue --name x --service cart --mount shop.test/a')
    env.PLUGBOARD_API_KEY = api.adminKey
    const rows = JSON.parse(await ok('key list --active -o json')) as { id: string; scopes: string[] }[]
    const admins = rows.filter(({ scopes }) => scopes.includes('admin')).map(({ id }) => id)
    const last = admins.pop()!
    if (admins.length > 0) await ok(`key revoke ${admins.join(' ')}`)
    expect((await run(`key revoke ${last}`)).err).toContain('the last active key with the scope admin')
    await ok(`key revoke --force ${last}`)
  })

  test('rotates and removes signing keys', async () => {
    await ok('signing-key rotate')
    await ok('signing-key rotate')
    const rows = JSON.parse(await ok('signing-key list -o json')) as { kid: string; state: string }[]
    expect(rows.map(({ state }) => state)).toEqual(['signing', 'retired'])
    await ok(`signing-key rm ${rows[1]?.kid}`)
  })

  test('prints the command that uses a new token', async () => {
    const issued = await run('token issue --name ada --service tunnel-* --mount *.t.test --command')
    expect(issued.out).toMatch(
      /^TELEPHONE_TOKEN=\S+ npx @vera-stack\/telephone http 3000 --plugboard https:\/\/proxy\.test\n$/,
    )
    expect(issued.err).toContain('It is shown only once:')
    const json = await run('token issue --name ada --service web --command 127.0.0.1:8080 --json')
    expect((JSON.parse(json.out) as { command: string }).command).toMatch(
      / http 127\.0\.0\.1:8080 .* --service web$/,
    )
  })

  test('finds the key in the flag, a file, the variable, the variable with a file, and the data folder', async () => {
    delete env.PLUGBOARD_API_KEY
    const none = await run('route list')
    expect(none.err).toMatch(
      /^plugboard: no API key: give --api-key-file.*secrets\/admin\.key does not exist/,
    )
    expect(none.err).toContain(`plugboard key reset --data ${join(folder, 'data')} makes a new key`)
    await writeFile(join(folder, 'key'), `${api.adminKey}\n`, { mode: 0o600 })
    await ok(`route list --api-key ${api.adminKey}`)
    expect((await run('route list --api-key-file key')).err).not.toContain('note:')
    await chmod(join(folder, 'key'), 0o644)
    expect((await run('route list --api-key-file key')).err).toContain(
      `note: Other users of this machine can read ${join(folder, 'key')} (mode 0644)`,
    )
    await ok('route list --api-key-file key')
    env.PLUGBOARD_API_KEY_FILE = 'key'
    await ok('route list')
    delete env.PLUGBOARD_API_KEY_FILE
    await mkdir(join(folder, 'elsewhere/secrets'), { recursive: true })
    await writeFile(join(folder, 'elsewhere/secrets/admin.key'), `${api.adminKey}\n`)
    await ok('route list --data elsewhere')
    env.PLUGBOARD_DATA = 'elsewhere'
    await ok('route list')
    // A key in the data folder of this machine is never sent to another machine.
    expect((await run('route list --url http://plugboard.example')).err).toContain('no API key')
    expect((await run('route list --api-key-file nope')).err).toContain('ENOENT')
  })
})

describe('state', () => {
  test('shows the status and the telephones', async () => {
    api.telephones.push({
      id: 'tunnel-1',
      name: 'shop-\u001b[31m1',
      instance: 'i1',
      agent: 'telephone/0.1.0',
      remoteAddress: '10.0.0.1',
      connectedAt: new Date().toISOString(),
      services: [
        {
          service: 'shop',
          mounts: [],
          health: 'down',
          weight: 1,
          version: '',
          labels: {},
          outage: null,
          override: null,
          ejections: [],
          subsetStops: [],
        },
      ],
      tokenId: 't',
      tokenExpiresAt: null,
      streams: 2,
      rttMs: 1.234,
      replicaId: 'r1',
    })
    expect(await ok('status')).toMatch(/^state +ready$/m)
    expect(await ok('status')).toMatch(/^database +reachable$/m)
    api.directory.notificationsArrive = false
    expect(await ok('status')).toMatch(/^database +reachable, notifications are lost: changes arrive late$/m)
    const listed = await ok('telephone list')
    expect(listed).toContain('shop (down)')
    expect(listed).toContain('1.2 ms')
    expect(listed).not.toContain('\u001b')
    await ok('service add other')
    expect((await run('telephone list --service other')).err).toContain('No telephones')
  })

  test('shows the ejections of processes, and ejections that are paused', async () => {
    const since = new Date().toISOString()
    const failures = ['503', 'refused'].map(failure => ({ at: since, failure }))
    const ejection = {
      ...{ replicaId: 'r1', state: 'ejected' as const, reason: 'consecutive_failures' as const },
      ...{ since, until: new Date(Date.now() + 3_600_000).toISOString(), ejections: 1, failures },
    }
    const process = { service: 'shop', telephone: 'shop-1', instance: 'i1' }
    api.telephones.push({
      ...{ id: 'tunnel-1', name: 'shop-1', instance: 'i1', agent: 'telephone/0.1.0', remoteAddress: '' },
      ...{ connectedAt: since, tokenId: 't', tokenExpiresAt: null, streams: 2, rttMs: null, replicaId: 'r1' },
      services: [
        {
          ...{
            service: 'shop',
            mounts: [],
            health: 'down',
            weight: 1,
            version: '',
            labels: {},
            outage: null,
            override: null,
            ejections: [],
            subsetStops: [],
          },
          override: null,
          ejections: [],
          subsetStops: [],
        },
      ],
    })
    expect(await ok('status')).not.toContain('failing telephone processes')
    api.ejections.items.push(
      { ...process, ...ejection },
      { ...process, ...ejection, replicaId: 'r2', state: 'half_open', until: null },
      { ...process, ...ejection, replicaId: 'r3', state: 'serving', until: null },
    )
    api.ejections.services.push({
      ...{ service: 'shop', replicaId: 'r1', consecutiveFailures: 1, errorResponses: 0, trialFailures: 0 },
      ...{ halfOpened: 0, readmitted: 0, paused: 1, pausedSince: since },
    })
    const subsets = [{ name: 'canary', select: { version: '*' }, percent: 10 }]
    api.services.push(harnessRoute({ host: 'shop.test', service: 'shop', policy: { subsets } }).service)
    const stop = {
      ...{ service: 'shop', subset: 'canary', percent: 10, currentPercent: 0, stops: 1 },
      ...{ since, atStop: null, now: null },
    }
    api.ejections.subsets.push(
      { ...stop, replicaId: 'r1', state: 'stopped', until: since },
      { ...stop, replicaId: 'r2', state: 'reduced', until: null },
    )
    expect(await ok('telephone list')).toContain(
      'shop (down, ejected by r1, half-open on r2, subset canary stopped by r1, subset canary reduced by r2)',
    )
    const { out, err } = await run('status')
    expect(out).toContain('failing telephone processes (2)')
    expect(out).toMatch(/shop +shop-1 +r1 +ejected +\S+ ago +in 1h +consecutive_failures +503 refused/)
    expect(out + err).toContain(
      'more processes of service "shop" fail than replica r1 ejects (outlier.maxEjectedPercent)',
    )
  })

  test('shows the replicas and their lines', async () => {
    api.replicas.push({
      id: 'one',
      name: 'one',
      address: 'http://10.0.0.1:4002',
      publicUrl: null,
      state: 'ready',
      version: '0.1.0',
      startedAt: new Date().toISOString(),
      appliedSequence: 7,
      tunnels: 2,
      streams: 6,
      self: false,
      link: 'accepted',
      rttMs: 0.5,
      forwardedStreams: 1,
      leaseMs: 2900,
      lines: 4,
      shareAgeMs: 120,
      disagreements: ['It is 1 change behind this replica.'],
    })
    const listed = await ok('replica list')
    expect(listed).toContain('accepted')
    expect(listed).toContain('2.9 s')
    expect(listed).toContain('1 change behind')
    api.lines.push({ service: 'shop', replicas: { one: 3, two: 1 } })
    api.replicas.push({
      ...api.replicas[0]!,
      id: 'two',
      name: 'two',
      self: true,
      startedAt: new Date().toISOString(),
    })
    const status = await ok('status')
    expect(status).toMatch(/^replica +two$/m)
    expect(status).toMatch(/^started +\ds ago$/m)
    expect(status).toMatch(/^address +http:\/\/10\.0\.0\.1:4002$/m)
    expect(status).toMatch(/^one +ready +accepted +0\.5 ms +2\.9 s +120 ms ago +7 /m)
    expect(status).toMatch(/^shop +4 +one: 3, two: 1$/m)
    expect(status).not.toMatch(/^connections/m)
    api.traffic = {
      ...createProxyCounters(),
      connections: 9,
      http2Connections: 4,
      openConnections: 2,
      inFlight: 1,
      retries: 3,
      tryTimeouts: 1,
      waiting: 1,
      openBreakers: 1,
      breakersOpened: 2,
      queued: 5,
      queueTimeouts: 2,
      held: 3,
      mirrored: 8,
      mirrorFailures: 2,
      problems: { route_not_found: 1, no_telephone: 4 },
      tls: { handshakes: 7, resumed: 2, handshakesFailed: 1, handshakesRefused: 0 },
    }
    expect(status).not.toMatch(/^rate limits/m)
    api.limits = { keys: 9, maxKeys: 10, evictions: 1, rejected: 2, unwritten: 3 }
    const busy = await ok('status')
    expect(busy).toMatch(
      /^rate limits +2 requests rejected, 9 keys, 1 dropped of more than 10, 3 not stored yet$/m,
    )
    expect(busy).toMatch(/^connections +2 open \(9 since the start, 4 by HTTP\/2, 0 refused\)$/m)
    expect(busy).toMatch(/^TLS handshakes +7 \(2 resumed, 1 failed, 0 refused\)$/m)
    expect(busy).toMatch(/^error responses +no_telephone: 4, route_not_found: 1$/m)
    expect(busy).toMatch(/^circuit breakers +1 open now, 2 openings since the start$/m)
    expect(busy).toMatch(/^waits +1 now, 5 in a queue, 2 timed out in a queue, 3 for a telephone$/m)
    expect(busy).toMatch(/^mirrored +8 copies of requests, 2 failed$/m)
    expect(busy).toMatch(/^attempts +3 retries, 1 ended after tryTimeoutMs$/m)
    expect(JSON.parse(await ok('status -o json'))).toMatchObject({ lines: [{ service: 'shop' }] })
    api.lines.pop()
    expect((await run('replica lines')).err).toContain('No service has lines')
  })

  test('the status names the services whose requests failed, and the command that shows more', async () => {
    const { route } = shownRoute(api)
    expect(await ok('status')).not.toContain('last failed request')
    const at = Date.now() - 120_000
    const message = 'Backend http://localhost:3000 refused the connection (ECONNREFUSED).'
    const error = {
      code: 'backend_unreachable',
      message,
      atMs: at,
      requestId: 'q1',
      telephone: 'laptop',
    } as const
    api.lastErrors.set(route.service.id, error)
    api.lastErrors.set(asServiceId('deleted'), { ...error, atMs: at - 1000 })
    const { out, err } = await run('status')
    expect(out).toMatch(
      /^last failed request of each service .*\nSERVICE .*\nshop +\*\.shop\.test\/api +2m ago +backend_unreachable +Backend http:\/\/localhost:3000 refused/m,
    )
    expect(out).not.toContain('deleted')
    expect(err).toContain('plugboard route test http://any.shop.test/api\n')
    expect(JSON.parse(await ok('status --json'))).toMatchObject({
      lastErrors: [{ service: 'shop', mount: '*.shop.test/api', requestId: 'q1' }],
    })
  })

  test('route test does not report a backend without a health check as healthy', async () => {
    const { route } = shownRoute(api)
    const line = makeLine('r1', 't1', 'shop')
    api.lineStates.push({ line, state: 'serving' })
    const atMs = Date.now() - 60_000
    const code = 'backend_unreachable'
    api.lastErrors.set(route.service.id, {
      code,
      message: 'Refused.',
      atMs,
      requestId: 'q1',
      telephone: 'laptop',
    })
    const unchecked = await ok('route test http://user:hunter2@a.shop.test/api')
    expect(unchecked).toMatch(/^request +GET http:\/\/a\.shop\.test\/api$/m)
    expect(unchecked).toMatch(
      /^outcome +goes to a telephone; without a health check, the state .* is unknown$/m,
    )
    expect(unchecked).toMatch(/^TELEPHONE .*\n\S+ +r1 +serving +connected, no health check +100/m)
    expect(unchecked).toMatch(
      /^last error +1m ago \(\d{4}-\d\d-\d\d .*Z\): backend_unreachable: Refused\. \(request q1/m,
    )
    api.lineStates.splice(0, 1, { line: { ...line, healthCheck: true }, state: 'serving' })
    const checked = await ok('route test http://a.shop.test/api')
    expect(checked).toMatch(/^outcome +goes to a telephone; its health check passes$/m)
    expect(checked).toMatch(/^\S+ +r1 +serving +up +100/m)
    api.lineStates.splice(0)
    expect((await run('route test http://a.shop.test/api')).err).toContain('no line of service shop can take')
    env.PLUGBOARD_API_KEY = (await ok('key create --name reader --scope routes:read')).trim()
    const hidden = await ok('route test http://a.shop.test/api')
    expect(hidden).toMatch(/^outcome +goes to the service; your API key needs the scope status:read/m)
  })

  test('lists changes, and follows new changes', async () => {
    await ok('service add shop')
    await ok('service set shop --policy retries=1')
    const text = await ok('changes --limit 1')
    expect(text).toContain('service shop updated: policy.retries unset → 1')
    const latest = await store.changes.latest()
    expect(JSON.parse(await ok(`changes --after ${latest - 2} -o json`))).toHaveLength(2)
    const following = run(`changes --follow --after ${latest - 1} -o json`, out => {
      if (out.includes('\n')) interrupt.abort()
    })
    const { code, out } = await following
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ sequence: latest, entity: 'service' })
  })
})

describe('export and import', () => {
  test('an import of an export changes no row, and creates deleted rows again', async () => {
    await ok('service add shop --policy retries=1')
    await ok('route add app.test/api --service shop --strip-mount')
    await ok('export --file bundle.yaml')
    expect(await ok('import bundle.yaml')).toBe('nothing to do\n')
    const bundle = await readFile(join(folder, 'bundle.yaml'), 'utf8')
    expect(parse(bundle)).toEqual({
      version: 1,
      services: [{ name: 'shop', policy: { retries: 1 } }],
      routes: [{ mount: 'app.test/api', service: 'shop', options: { stripMount: true } }],
    })
    await ok('route rm app.test/api')
    await ok('service rm shop')
    expect(await ok('import bundle.yaml --dry-run')).toBe('+ service shop\n+ route app.test/api → shop\n')
    expect((await run('route list')).err).toContain('No routes')
    expect(await ok('import bundle.yaml')).toBe('2 changes made\n')
    expect(parse(await ok('export'))).toEqual(parse(bundle))
    expect(JSON.parse(await ok('export -o json'))).toEqual(parse(bundle))
  })

  test('an import changes different rows, and --prune deletes rows that are not in the file', async () => {
    await ok('service add shop --policy retries=1 --policy idleTimeoutMs=1s')
    await ok('service add old')
    await ok('route add a.test/x --service shop')
    await ok('route add b.test --service old')
    await writeFile(
      join(folder, 'wanted.yaml'),
      'version: 1\nservices:\n  - {name: shop, policy: {retries: 2}}\n  - {name: cart}\nroutes:\n' +
        '  - {mount: A.test/, service: cart}\n',
    )
    const plan = await ok('import wanted.yaml --prune --dry-run')
    expect(plan.trim().split('\n')).toEqual([
      '+ service cart',
      '~ service shop: retries 1 → 2, idleTimeoutMs 1000 → default',
      '- service old',
      '+ route a.test → cart',
      '- route a.test/x → shop',
      '- route b.test → old',
    ])
    await ok('import wanted.yaml --prune')
    expect(await ok('import wanted.yaml --prune')).toBe('nothing to do\n')
  })

  test('an import names all mistakes of the file with their lines, and changes no row', async () => {
    await writeFile(
      join(folder, 'bad.yaml'),
      'version: 2\nservice: []\nservices:\n  - name: shop\n    polciy: {}\nroutes:\n  - mount: a.test\n',
    )
    const { code, err } = await run('import bad.yaml')
    expect(code).toBe(2)
    expect(err).toContain('bad.yaml:2: unknown key "service"; did you mean services?')
    expect(err).toContain('bad.yaml:5: services[0]: unknown key "polciy"; did you mean policy?')
    expect(err).toContain('bad.yaml:7: routes[0].service')
    expect(err).toContain('bad.yaml:1: version: 2 is too large')
    expect((await run('service list')).err).toContain('No services')
    expect((await run('import nope.yaml')).err).toContain('ENOENT')
  })

  test('rejects a file with the same mount in two spellings', async () => {
    await writeFile(
      join(folder, 'twice.yaml'),
      'version: 1\nroutes:\n  - {mount: a.test/caf%c3%a9, service: a}\n  - {mount: A.test/c%61f%C3%A9/, service: b}\n',
    )
    const { code, err } = await run('import twice.yaml')
    expect(code).toBe(2)
    expect(err).toContain('route a.test/caf%C3%A9 is listed twice')
  })

  test('an import with a problem changes no row, with --dry-run and without', async () => {
    const text =
      'version: 1\nservices:\n  - name: shop\nroutes:\n  - {mount: a.test, service: shop}\n' +
      '  - {mount: a.test/x, service: shop}\n  - mount: b.test:80\n    service: shop\n'
    await writeFile(join(folder, 'wrong.yaml'), text)
    for (const flag of ['', ' --dry-run']) {
      const { code, err } = await run(`import wrong.yaml${flag}`)
      expect(code).toBe(1)
      expect(err).toContain('plugboard: no change was made.\n')
      expect(err).toContain('wrong.yaml:6: routes[1].mount: a.test/x lies beneath a.test of /routes/0\n')
      expect(err).toContain('wrong.yaml:7: routes[2].mount: a mount has no port\n')
    }
    expect((await run('service list')).err).toContain('No services')
    await writeFile(join(folder, 'wrong.yaml'), 'version: 1\nroutes:\n  - {mount: a.test, service: none}\n')
    for (const flag of ['', ' --dry-run']) {
      const { code, err } = await run(`import wrong.yaml${flag}`)
      expect([code, err]).toEqual([
        1,
        'plugboard: no change was made.\nwrong.yaml:3: routes[0].service: There is no service "none". Add it to the bundle.\n',
      ])
    }
  })

  test('diff has the exit code 0 for equal rows, 1 for differences and 2 for errors', async () => {
    await ok('service add shop')
    await ok('route add a.test --service shop')
    await ok('export --file bundle.yaml')
    expect(await run('diff bundle.yaml --exit-code')).toMatchObject({ code: 0, out: 'nothing to do\n' })
    await ok('route set a.test --strip-mount')
    expect(await run('diff bundle.yaml --exit-code')).toEqual({
      code: 1,
      out: '~ route a.test: stripMount true → default\n',
      err: '',
    })
    expect((await run('diff bundle.yaml')).code).toBe(0)
    expect(JSON.parse((await run('diff bundle.yaml --exit-code --json')).out)).toMatchObject({
      dryRun: true,
      routes: { created: 0, changed: 1, deleted: 0, unchanged: 0 },
      items: [{ action: 'changed', entity: 'route', name: 'a.test' }],
    })
    expect((await run('diff none.yaml --exit-code')).code).toBe(2)
    await ok('service add more')
    expect((await run('diff bundle.yaml --prune')).out).toContain('- service more\n')
    env.PLUGBOARD_API_KEY = `vsk_${'x'.repeat(40)}`
    expect((await run('diff bundle.yaml --exit-code')).code).toBe(2)
  })

  test('reads JSON, and names a Plugboard without the operation', async () => {
    await ok('service add shop')
    await ok('export -o json --file bundle.json')
    expect(await ok('import bundle.json')).toBe('nothing to do\n')
    const older = createServer((request, response) => {
      request.resume()
      response.writeHead(404, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify({ code: 'not_found', detail: 'There is no such path.' }))
    })
    await once(older.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(older.address() as AddressInfo).port}`
    const { code, err } = await run(`import bundle.json --url ${url}`)
    older.closeAllConnections()
    older.close()
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('has no PUT /v1/bundle, because it is older than 0.2.0'),
    ])
  })
})

describe('edit', () => {
  /** Sets an editor that runs `steps` in turn, each a script of sed for the file, and copies the text that it gets. */
  async function editWith(...steps: readonly string[]): Promise<void> {
    const script = join(folder, 'editor.sh')
    await writeFile(
      script,
      `#!/bin/sh\nn=$(cat ${folder}/count 2>/dev/null || echo 0)\necho $((n + 1)) > ${folder}/count\n` +
        `cp "$1" "${folder}/seen-$n"\ncase $n in\n` +
        steps.map((step, index) => `${index}) sed -i -e '${step}' "$1";;\n`).join('') +
        'esac\n',
    )
    await chmod(script, 0o755)
    await rm(join(folder, 'count'), { force: true })
    env.EDITOR = script
  }

  beforeEach(async () => {
    await ok('service add shop --policy retries=1')
    await ok('route add a.test --service shop')
  })

  test('applies the changes of one row or of all rows', async () => {
    await editWith('s/retries: 1/retries: 3/')
    const one = await run('edit service shop --yes')
    expect(one).toEqual({ code: 0, out: '1 change made\n', err: '~ service shop: retries 1 → 3\n' })
    await editWith('s/mount: a.test/mount: b.test/')
    const all = await run('edit --yes')
    expect([all.code, all.err]).toEqual([0, '+ route b.test → shop\n- route a.test → shop\n'])
    await editWith('')
    expect(await run('edit route b.test')).toEqual({ code: 0, out: '', err: 'no change\n' })
  })

  test('opens the file again with the problems as comments', async () => {
    await editWith(
      's/service: shop/service: none/',
      's/service: none/service: shop/;s/retries: 1/retries: 2/',
    )
    const { code, out } = await run('edit --yes')
    expect([code, out]).toEqual([0, '1 change made\n'])
    const seen = await readFile(join(folder, 'seen-1'), 'utf8')
    expect(seen).toContain('#! no change was made.\n')
    const [, line] =
      /#! bundle\.yaml:(\d+): routes\[0\]\.service: There is no service "none"/.exec(seen) ?? []
    expect(seen.split('\n')[Number(line) - 1]).toContain('service: none')
  })

  test('keeps the text when it has problems, when the editor fails, and after a concurrent change', async () => {
    const keptFile = async (err: string): Promise<string> => {
      const file = /Your text is in (\S+)/.exec(err)?.[1] ?? ''
      const text = await readFile(file, 'utf8')
      await rm(join(file, '..'), { recursive: true })
      return text
    }
    await editWith('s/retries: 1/retries: -1/')
    const wrong = await run('edit service shop --yes')
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('still has the problems')])
    expect(await keptFile(wrong.err)).toContain('retries: -1')
    // An editor that empties the file each time.
    env.EDITOR = ': >'
    const emptied = await run('edit service shop --yes')
    expect([emptied.code, emptied.err]).toEqual([1, expect.stringContaining('still has the problems')])
    await keptFile(emptied.err)
    // An editor that writes another wrong text each time.
    env.EDITOR = 'echo x >>'
    const longer = await run('edit service shop --yes')
    expect([longer.code, longer.err]).toEqual([1, expect.stringContaining('still has the problems')])
    await keptFile(longer.err)
    env.EDITOR = 'false'
    const failed = await run('edit --yes')
    expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('"false" ended with exit code 1')])
    await keptFile(failed.err)
    await editWith('s/retries: 1/retries: 5/')
    const key = join(folder, 'editor.sh')
    const call = `curl -sf -X PATCH -H "authorization: Bearer ${api.adminKey}" -H "if-match: *" -H "content-type: application/json" -d "{\\"policy\\":{\\"retries\\":2}}" ${env.PLUGBOARD_URL}/v1/services/shop >/dev/null\n`
    await writeFile(key, (await readFile(key, 'utf8')) + call)
    const late = await run('edit service shop --yes')
    expect([late.code, late.err]).toEqual([1, expect.stringContaining('has changed since')])
    expect(await keptFile(late.err)).toContain('retries: 5')
    expect((await store.services.get('shop')).policy).toEqual({ retries: 2 })
  })

  test('needs an editor, and refuses a new name for one row', async () => {
    delete env.EDITOR
    expect((await run('edit')).err).toContain('set VISUAL or EDITOR')
    await editWith('s/mount: a.test/mount: b.test/')
    const { code, err } = await run('edit route a.test --yes')
    expect(code).toBe(1)
    const file = /Your text is in (\S+)/.exec(err)?.[1] ?? ''
    expect(await readFile(file, 'utf8')).toContain('plugboard route set a.test --mount NEW')
    await rm(join(file, '..'), { recursive: true })
  })
})

describe('--dry-run', () => {
  test('checks each write, and changes no row', async () => {
    await ok('service add shop')
    await ok('route add a.test --service shop')
    const before = await store.changes.latest()
    expect(await ok('route add b.test --service shop --dry-run')).toBe('dry run: route b.test → shop added\n')
    expect(await ok('route set a.test --strip-mount --dry-run')).toBe(
      'dry run: route a.test → shop changed (version 2)\n',
    )
    expect(await ok('route rm a.test --dry-run')).toBe('dry run: route a.test deleted\n')
    expect(await ok('service set shop --policy retries=2 --dry-run')).toContain(
      'dry run: service shop changed',
    )
    const issued = await ok('token issue --name ada --service shop --dry-run')
    expect(issued).toBe('dry run: the request is valid; no secret was created\n')
    const created = JSON.parse(await ok('key create --name ada --scope routes:read --dry-run --json'))
    expect(created).not.toHaveProperty('key')
    expect(await ok('signing-key rotate --dry-run')).toContain('dry run: ')
    expect(await run('route add a.test/x --service shop --dry-run')).toMatchObject({ code: 1, out: '' })
    expect((await run('service rm shop --dry-run')).err).toContain('still has 1 route')
    expect((await run('route add c.test --service new --create-service --dry-run')).code).toBe(2)
    expect(await store.changes.latest()).toBe(before)
  })

  test('sends no write to an older Plugboard, which would make the change', async () => {
    const methods: string[] = []
    const older = createServer((request, response) => {
      methods.push(`${request.method} ${request.url}`)
      response.writeHead(200, { 'content-type': 'application/json', etag: '"1"' })
      response.end(JSON.stringify({ paths: { '/v1/routes': {} }, name: 'shop' }))
    })
    await once(older.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(older.address() as AddressInfo).port}`
    const { code, err } = await run(`service rm shop --dry-run --url ${url}`)
    older.closeAllConnections()
    older.close()
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('has no dry run, because it is older than 0.2.0'),
    ])
    expect(methods).toEqual(['GET /v1/services/shop', 'GET /openapi.json'])
  })
})

describe('mistakes at the terminal', () => {
  test.each([
    ['rout list', 2, 'Did you mean route?'],
    ['route lst', 2, 'Did you mean'],
    ['route add', 2, "missing required argument 'mount'"],
    ['route add x', 2, 'give --service <name>, or --redirect'],
    ['route add x --service y --basic-user ada', 2, '--password-file'],
    ['route add x --service y --colour red', 2, "unknown option '--colour'"],
    ['route set x', 2, 'nothing to change'],
    ['route list --url nonsense', 2, 'is not an http URL'],
    ['service rename a b', 2, 'Use: plugboard service set a --name b\n'],
    ['route mv a.test b.test', 2, 'Use: plugboard route set a.test --mount b.test\n'],
    ['service rename', 2, 'Use: plugboard service set OLD --name NEW\n'],
    ['route list -o xml', 2, 'Allowed choices are table, json, yaml'],
    ['route list -o yaml --json', 2, '--json and --output yaml contradict each other'],
    ['route list --service nosuch', 1, 'no service "nosuch"'],
    ['telephone list --service nosuch', 1, 'no service "nosuch"'],
    ['changes --limit many', 2, 'is not a whole number'],
    ['route show nothing.test', 1, 'There is no route "nothing.test".'],
    ['route list --api-key wrong', 1, 'not an API key'],
    ['route list --url http://127.0.0.1:1', 1, 'cannot be reached (bad port). Start Plugboard there'],
    ['migrate', 1, 'no database'],
    ['migrate --database-url mysql://u:hunter2@h/d', 2, 'the value is secret'],
  ])('plugboard %s ends with the exit code %i', async (line, expected, message) => {
    const { code, out, err } = await run(line)
    expect(code).toBe(expected)
    expect(out).toBe('')
    expect(err).toContain(message)
    expect(err).not.toContain('    at ')
    expect(err).not.toContain('hunter2')
  })

  test('reports another web server at the address of the API in one line', async () => {
    const other = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { code, err } = await run(
      `route list --url http://127.0.0.1:${(other.address() as AddressInfo).port}`,
    )
    other.closeAllConnections()
    other.close()
    expect({ code, lines: err.trim().split('\n').length }).toEqual({ code: 1, lines: 1 })
    expect(err).toContain('is not the admin API of Plugboard: its response is not JSON')
  })

  test('dev rejects its own public port as target before it starts a part', async () => {
    const { code, err } = await run('dev --port 4000 --expose localhost:4000 --data ./never-made')
    expect({ code, lines: err.trim().split('\n').length }).toEqual({ code: 2, lines: 1 })
    expect(err).toContain('--expose: "localhost:4000" is the public port of this Plugboard')
  })

  test('accepts --json before and after each subcommand', async () => {
    await ok('service add shop')
    for (const line of ['--json service list', 'service --json list', 'service list --json']) {
      expect(JSON.parse(await ok(line))).toMatchObject([{ name: 'shop' }])
    }
    expect((await run('route add --help')).out).toContain('--json')
  })

  test('accepts the subcommand names of other tools', async () => {
    await ok('service create shop')
    expect(await ok('service ls')).toContain('shop')
    expect(await ok('service get shop')).toContain('shop')
    await ok('service update shop --policy retries=1')
    expect(await ok('service delete shop')).toBe('service shop deleted\n')
  })

  test('help explains the term line, and lists only existing commands', async () => {
    expect((await run('replica --help')).out).toMatch(/a line is\s+one service that one tunnel offers/)
    for (const list of ['replica list', 'replica lines']) {
      expect((await run(list)).err).toContain('note: a line is one service that one tunnel offers')
    }
    expect((await run('service --help')).out).not.toContain('rename')
  })

  test('the help of a command has examples', async () => {
    expect((await run('--help')).out).toContain('plugboard dev')
    for (const line of [
      'route add',
      'service set',
      'token issue',
      'key create',
      'import',
      'export',
      'change list',
      'migrate',
    ]) {
      const { code, out } = await run(`${line} --help`)
      expect(code).toBe(0)
      expect(out).toContain(`$ plugboard ${line}`)
    }
    expect((await run('help route')).out).toContain('add [options] <mount>')
    expect((await run('--version')).out).toMatch(/^\d+\.\d+\.\d+/)
  })

  test('migrate shows the state of the schema, and updates it', async () => {
    const empty = await createTestDatabase({ empty: true })
    env.DATABASE_URL = empty.url
    expect((await run('migrate --status')).code).toBe(1)
    expect(await ok('migrate')).toContain(', 0 pending')
    expect(JSON.parse(await ok('migrate --status --json'))).toMatchObject({ pending: 0 })
    await empty.drop()
  })
})
