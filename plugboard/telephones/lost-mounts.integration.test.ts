// Tests that a telephone is notified when a route that it serves is deleted or changed, over a real tunnel and with a real
// database. The clock is advanced by hand, so that the number of messages is exact.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../../test/support/deadline.ts'
import type { FakeTelephone } from '../../test/support/harness/fake-telephone.ts'
import { TunnelHarness } from '../../test/support/harness/tunnel-harness.ts'
import { ManualClock } from '../../test/support/manual-clock.ts'

const by = { actor: 'test' }
const URLS = ['http://app.test:4000/']

let harness: TunnelHarness
let clock: ManualClock

beforeEach(async () => {
  clock = new ManualClock(1000, Date.now())
  const limits = { pingIntervalMs: 600_000, pingTimeoutMs: 1_800_000 }
  harness = await TunnelHarness.start({ switchboard: { clock, limits } })
})
afterEach(() => harness.close())

const routes = () => harness.database.store.routes
const announced = (telephone: FakeTelephone) =>
  telephone.controls.filter(message => message.type === 'announced')
const connected = async (mounts = ['*']) => harness.dial((await harness.token({ mounts })).token)

/** Waits until the changes have arrived in the directory, and triggers the messages about them. */
async function arrived(): Promise<void> {
  await harness.caughtUp()
  clock.advance(500)
}

/** Waits for `count` messages, and returns the results of the newest one. */
const results = (telephone: FakeTelephone, count: number) =>
  eventually(`${count} announced messages`, () => {
    const messages = announced(telephone)
    return messages.length === count ? messages.at(-1)?.results : undefined
  })

it('notifies the telephone, and a new announcement claims the mount again', async () => {
  const telephone = await connected()
  await telephone.announce({ service: 'web', mount: 'app.test' })
  await routes().remove('app.test', by)
  await arrived()
  expect(await results(telephone, 2)).toEqual([
    {
      ...{ service: 'web', accepted: true, urls: [], lostMount: 'app.test' },
      detail:
        'The route of mount app.test was deleted, so requests for it do not reach this service. ' +
        'A new announcement claims the mount again, unless another service has it. ' +
        'To keep the mount free, stop this Telephone or revoke its token.',
    },
  ])
  // The line stays, because other routes may lead to the service.
  expect([...harness.registry.linesOf('web')]).toHaveLength(1)
  expect(await telephone.announce({ service: 'web', mount: 'app.test' })).toEqual([
    { service: 'web', accepted: true, urls: URLS },
  ])
})

it('sends one message for all mounts, and one more when the routes are back', async () => {
  const telephone = await connected()
  const mounts = ['a.test', 'b.test', 'c.test']
  await telephone.announce(...mounts.map(mount => ({ service: 'web', mount })))
  for (const mount of ['a.test', 'b.test']) await routes().remove(mount, by)
  await arrived()
  const lost = await results(telephone, 2)
  expect(lost.map(({ lostMount }) => lostMount)).toEqual(['a.test', 'b.test', undefined])
  for (const mount of ['a.test', 'b.test']) await routes().create({ mount, service: 'web' }, by)
  await arrived()
  const back = await results(telephone, 3)
  expect(back.map(({ lostMount, detail }) => [lostMount, detail])).toEqual(
    mounts.map(() => [undefined, undefined]),
  )
})

it('names the route to add when the token does not cover the mount', async () => {
  await harness.database.store.services.create({ name: 'web' }, by)
  await routes().create({ mount: 'app.test', service: 'web' }, by)
  await harness.caughtUp()
  const [claiming, serving] = [await connected(['other.test']), await connected()]
  await claiming.announce({ service: 'web', mount: 'app.test' })
  await serving.announce({ service: 'web' })
  await routes().remove('app.test', by)
  await arrived()
  const remedy = 'Add a route: plugboard route add app.test --service web'
  for (const telephone of [claiming, serving]) {
    const [result] = await eventually('the lost mount', () => {
      const found = announced(telephone).at(-1)?.results
      return found?.[0]?.lostMount === undefined ? undefined : found
    })
    expect(result).toMatchObject({ lostMount: 'app.test', detail: expect.stringContaining(remedy) })
  }
})

it('notifies the telephone when the route leads to another service', async () => {
  const telephone = await connected()
  await telephone.announce({ service: 'web', mount: 'app.test' })
  await harness.database.store.services.create({ name: 'other' }, by)
  await routes().update('app.test', { service: 'other' }, by)
  await arrived()
  const [result] = await results(telephone, 2)
  expect(result).toMatchObject({ lostMount: 'app.test', detail: expect.stringContaining('was changed') })
  const [refusal] = await telephone.announce({ service: 'web', mount: 'app.test' })
  expect(refusal).toMatchObject({ accepted: false, code: 'mount_conflict' })
  expect(refusal?.detail).toContain('service "other"')
})

it('sends no message about other routes, or to a telephone whose service has another route', async () => {
  const [claiming, serving] = [await connected(), await connected()]
  await claiming.announce({ service: 'web', mount: 'app.test' })
  await serving.announce({ service: 'web' })
  clock.advance(500)
  await routes().create({ mount: 'more.test', service: 'web' }, by)
  await routes().create({ mount: 'unused.test', service: 'web' }, by)
  await arrived()
  await routes().remove('unused.test', by)
  await routes().update('app.test', { options: { allowHttp: true } }, by)
  await arrived()
  // Responses come in order, so the next response shows that all earlier messages have arrived.
  for (const telephone of [claiming, serving]) {
    const before = announced(telephone).length
    await telephone.announce({ service: 'web' })
    expect([before, announced(telephone).length]).toEqual([1, 2])
  }
})
