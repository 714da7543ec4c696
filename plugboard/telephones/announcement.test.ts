// Counts the steps that the evaluation of an announcement takes, because a telephone chooses the size of its announcement.

import { expect, it } from 'vitest'
import { asTokenId } from '../common/ids/row-ids.ts'
import type { Claimed } from '../database/store/store.ts'
import type { DirectoryRoute } from '../routes/directory.ts'
import { type AnnouncementOptions, evaluateAnnouncement } from './announcement.ts'
import type { Credential } from './tokens/authenticate.ts'

const COUNT = 1000
const line = { health: 'up', weight: 100, version: '', labels: {} } as const

/** Returns the list, and a counter of the reads of its elements. */
function counted(list: readonly string[]): {
  readonly list: readonly string[]
  readonly reads: () => number
} {
  let reads = 0
  const proxy = new Proxy(list, {
    get(target, key, receiver) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1
      return Reflect.get(target, key, receiver) as unknown
    },
  })
  return { list: proxy, reads: () => reads }
}

function credentialWith(services: readonly string[], mounts: readonly string[]): Credential {
  return {
    token: { kind: 'own', id: asTokenId('t') },
    subject: 's',
    services,
    mounts,
    limits: {},
    expiresAtMs: 0,
    kid: undefined,
  }
}

function optionsWith(
  routes: readonly DirectoryRoute[],
  urlOf: AnnouncementOptions['urlOf'],
): AnnouncementOptions {
  return {
    directory: {
      serviceByName: name => (routes.length === 0 ? undefined : ({ id: name } as never)),
      routesOfService: () => routes.values(),
      route: () => undefined,
    },
    claimMount: () => expect.fail('no mount is claimed'),
    untilApplied: () => expect.fail('no mount is claimed'),
    usage: {
      limitsOf: () => expect.fail('no mount is claimed'),
      claim: () => expect.fail('no mount is claimed'),
    },
    claims: { ephemeralGraceMs: 600_000, generatedHosts: '*.localhost' },
    urlOf,
  }
}

it('reads each scope of the token a few times, and not once for each service', async () => {
  const services = counted(Array.from({ length: COUNT }, (_, index) => `svc-${index}`))
  const mounts = counted(Array.from({ length: COUNT }, (_, index) => `h${index}.test`))
  const announced = Array.from({ length: COUNT }, (_, index) => ({
    service: 'svc-999',
    mount: `other.test/${index}`,
    ...line,
  }))
  const options = optionsWith([], () => '')
  const decisions = await evaluateAnnouncement(
    announced,
    credentialWith(services.list, mounts.list),
    options,
    () => true,
  )
  expect(new Set(decisions.map(({ code }) => code))).toEqual(new Set(['forbidden']))
  expect(services.reads()).toBeLessThan(5 * COUNT)
  expect(mounts.reads()).toBeLessThan(5 * COUNT)
})

it('creates only as many URLs as fit in a response', async () => {
  const routes = Array.from(
    { length: COUNT },
    (_, index) => ({ host: 'a.test', mountPath: `/${index}`, lifetimeMs: null }) as DirectoryRoute,
  )
  let made = 0
  const options = optionsWith(routes, ({ host, mountPath }) => {
    made += 1
    return `http://${host}${mountPath}`
  })
  const announced = [{ service: 'web', mount: 'a.test/999', ...line }]
  const [decision] = await evaluateAnnouncement(announced, credentialWith(['*'], []), options, () => true)
  expect(decision).toMatchObject({ accepted: true, mount: 'a.test/999' })
  expect([decision?.urls.length, made]).toEqual([100, 100])
})

it.each([false, true])('accepts a claim when this replica has its route (at once: %s)', async present => {
  const applied = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const route = { id: 'r', host: 'a.test', mountPath: '/' }
  const base = optionsWith([], ({ host }) => `http://${host}/`)
  const options: AnnouncementOptions = {
    ...base,
    directory: { ...base.directory, route: () => (present ? (route as DirectoryRoute) : undefined) },
    usage: {
      limitsOf: () => ({ tunnels: 1, claims: 1, announcementsPerMinute: 1 }),
      claim: (_, run) => run(),
    },
    claimMount: () => Promise.resolve({ route, created: true } as Claimed),
    untilApplied: () => {
      asked.resolve()
      return applied.promise
    },
  }
  const announced = [{ service: 'web', mount: 'a.test', ...line }]
  const evaluated = evaluateAnnouncement(announced, credentialWith(['*'], ['*']), options, () => true)
  if (!present) {
    const first = await Promise.race([evaluated.then(() => 'accepted'), asked.promise.then(() => 'waits')])
    expect(first).toBe('waits')
    const next = await Promise.race([evaluated.then(() => 'accepted'), Promise.resolve('waits')])
    expect(next).toBe('waits')
    applied.resolve()
  }
  expect(await evaluated).toMatchObject([{ accepted: true, mount: 'a.test', urls: ['http://a.test/'] }])
})
