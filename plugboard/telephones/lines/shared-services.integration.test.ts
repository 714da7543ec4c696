// Two telephones with different names serve one service, and both get a remark. The tests use real tunnels and lines of other
// replicas. They advance the clock by hand, so that the number of messages is exact.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import type { FakeTelephone } from '../../../test/support/harness/fake-telephone.ts'
import { TunnelHarness } from '../../../test/support/harness/tunnel-harness.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import type { Line } from '../../registry/line.ts'
import { asTunnelId, lineId } from '../../registry/line-ids.ts'

const NOW_MS = Date.now()
const A = { name: 'laptop-a', instance: 'instance-a', startedAt: NOW_MS - 2000 }
const B = { name: 'laptop-b', instance: 'instance-b', startedAt: NOW_MS - 1000 }
const SERVICE = { service: 'web', mount: 'app.test' }

let harness: TunnelHarness
let clock: ManualClock
let token: string

beforeEach(async () => {
  clock = new ManualClock(1000, NOW_MS)
  const limits = { pingIntervalMs: 600_000, pingTimeoutMs: 1_800_000 }
  harness = await TunnelHarness.start({ switchboard: { clock, limits } })
  token = (await harness.token()).token
})
afterEach(() => harness.close())

async function serve(process: typeof A): Promise<FakeTelephone> {
  const telephone = await harness.dial(token, process)
  await telephone.announce(SERVICE)
  return telephone
}

const announced = (telephone: FakeTelephone) =>
  telephone.controls.filter(message => message.type === 'announced')
const remarkOf = (telephone: FakeTelephone): string | undefined =>
  announced(telephone).at(-1)?.results[0]?.detail
const untilRemark = (telephone: FakeTelephone, expected: RegExp | undefined) =>
  eventually(`the remark ${expected}`, () => {
    const remark = remarkOf(telephone)
    const asExpected = expected === undefined ? remark === undefined : expected.test(remark ?? '')
    return asExpected ? true : undefined
  })
/** Waits for the response to an announcement. Responses come in order, so all earlier messages have arrived then. */
const settled = (telephones: readonly FakeTelephone[]) =>
  Promise.all(telephones.map(telephone => telephone.announce(SERVICE)))

describe('two telephones with different names on one mount', () => {
  it('get a remark about each other, and the remark ends when only one of them remains', async () => {
    const first = await serve(A)
    expect(remarkOf(first)).toBeUndefined()
    const second = await serve(B)
    expect(remarkOf(second)).toBe('Also served by telephone "laptop-a": each gets a part of the requests.')
    expect(announced(second).at(-1)?.results[0]).toMatchObject({
      accepted: true,
      urls: ['http://app.test:4000/'],
    })
    clock.advance(500)
    await untilRemark(first, /^Also served by telephone "laptop-b"/)
    second.session.close('going_away')
    await eventually('the line is removed', () =>
      [...harness.registry.linesOf('web')].length === 1 ? true : undefined,
    )
    clock.advance(500)
    await untilRemark(first, undefined)
    expect(announced(first).map(({ results }) => results[0]?.accepted)).toEqual([true, true, true])
  })

  it('get the remark for lines of another replica too', async () => {
    const first = await serve(A)
    const own = [...harness.registry.linesOf('web')][0] as Line
    const far = {
      ...own,
      id: lineId(asTunnelId('far'), 'web'),
      replicaId: asReplicaId('r2'),
      tunnelId: asTunnelId('far'),
      telephone: 'laptop-b',
      instance: 'far',
    }
    harness.registry.putRemote(far)
    clock.advance(500)
    await untilRemark(first, /laptop-b/)
    harness.registry.removeRemote(far)
    clock.advance(500)
    await untilRemark(first, undefined)
  })
})

describe('no message', () => {
  it('is sent for a second tunnel or a newer process of the same telephone', async () => {
    const tunnels = [await serve(A), await serve(A)]
    const newer = await serve({ ...A, instance: 'instance-n', startedAt: NOW_MS - 500 })
    clock.advance(500)
    await settled([newer])
    expect(remarkOf(newer)).toBeUndefined()
    for (const tunnel of tunnels) expect(remarkOf(tunnel)).toContain('A newer process')
  })

  it('is sent to the first two telephones when a third one connects or disconnects', async () => {
    const two = [await serve(A), await serve(B)]
    clock.advance(500)
    await settled(two)
    const before = two.map(telephone => announced(telephone).length)
    const third = await serve({ name: 'laptop-c', instance: 'instance-c', startedAt: NOW_MS - 500 })
    expect(remarkOf(third)).toContain('laptop-')
    third.session.close('going_away')
    await eventually('the line is removed', () =>
      [...harness.registry.linesOf('web')].length === 2 ? true : undefined,
    )
    clock.advance(500)
    await settled(two)
    expect(two.map((telephone, index) => announced(telephone).length - before[index]!)).toEqual([1, 1])
  })

  it('is sent for a telephone that connects and disconnects within half a second', async () => {
    const first = await serve(A)
    const second = await serve(B)
    second.session.close('going_away')
    await eventually('the line is removed', () =>
      [...harness.registry.linesOf('web')].length === 1 ? true : undefined,
    )
    clock.advance(500)
    await settled([first])
    expect(announced(first)).toHaveLength(2)
  })
})
