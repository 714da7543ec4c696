import type { ControlMessage } from '@vera-stack/shared/protocol/control/control.ts'
import type { Session } from '@vera-stack/shared/protocol/session.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { HealthProbes } from './health-probes.ts'

function setUp(features = ['probe']) {
  const clock = new ManualClock()
  const sent: ControlMessage[] = []
  const session = {
    state: 'open',
    peer: { features },
    sendControl: (message: ControlMessage) => sent.push(message),
  }
  const probes = new HealthProbes(() => session as unknown as Session, clock)
  return { clock, sent, session, probes }
}

it('sends one probe for a service, and gives the result to each caller', async () => {
  const { clock, sent, probes } = setUp()
  const results = [probes.probe('web'), probes.probe('web'), probes.probe('shop')]
  expect(sent).toEqual([
    { type: 'probe', service: 'web' },
    { type: 'probe', service: 'shop' },
  ])
  probes.arrived({ type: 'probed', service: 'shop', health: 'up' })
  probes.arrived({ type: 'probed', service: 'web', health: 'down' })
  probes.arrived({ type: 'probed', service: 'web', health: 'up' })
  expect(await Promise.all(results)).toEqual(['down', 'down', 'up'])
  expect(clock.pendingTimers).toBe(0)
})

it('has no result when the telephone does not respond in time, or its tunnel closes', async () => {
  const { clock, probes } = setUp()
  const late = probes.probe('web')
  clock.advance(6000)
  expect(await late).toBeUndefined()
  const closed = probes.probe('web')
  probes.close()
  expect(await closed).toBeUndefined()
  expect(clock.pendingTimers).toBe(0)
})

it('sends no probe to an older telephone, or on a session that is not open', async () => {
  const older = setUp([])
  expect(await older.probes.probe('web')).toBeUndefined()
  const closed = setUp()
  closed.session.state = 'closed'
  expect(await closed.probes.probe('web')).toBeUndefined()
  expect([...older.sent, ...closed.sent]).toEqual([])
})

it('sends no more probes than a telephone accepts', async () => {
  const { clock, sent, probes } = setUp()
  const all = Array.from({ length: 100 }, (_, index) => probes.probe(`service-${index}`))
  expect(sent).toHaveLength(8)
  expect(await all[99]).toBeUndefined()
  clock.advance(1000)
  for (let index = 0; index < 10; index += 1) void probes.probe(`further-${index}`)
  expect(sent).toHaveLength(10)
  probes.close()
})
