import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { MAX_EVENTS, TunnelHistory } from './tunnel-history.ts'

const TUNNEL = { tunnelId: 't1', instance: 'i1', replicaId: 'r1', remoteAddress: '10.0.0.1' }

it('returns the events of a telephone, the newest first, with the reason in words', () => {
  const clock = new ManualClock()
  const history = new TunnelHistory(clock)
  history.connected('shop-1', TUNNEL)
  clock.advance(1000)
  history.disconnected('shop-1', TUNNEL, 'session_lost', '')
  history.disconnected('shop-1', TUNNEL, 'going_away', 'An operator closed the tunnel.')
  history.connected('other', TUNNEL)
  const events = history.eventsOf('shop-1')
  expect(events.map(({ kind, reason, detail }) => [kind, reason, detail])).toEqual([
    ['disconnected', 'going_away', 'An operator closed the tunnel.'],
    ['disconnected', 'session_lost', 'the connection ended without a BYE'],
    ['connected', null, null],
  ])
  expect(Date.parse(events[0]!.at) - Date.parse(events[2]!.at)).toBe(1000)
  expect(history.eventsOf('unknown')).toEqual([])
})

it('counts ends by reason, also of events that it no longer has', () => {
  const history = new TunnelHistory(new ManualClock())
  for (let each = 0; each < MAX_EVENTS + 5; each += 1) history.disconnected('a', TUNNEL, 'session_lost', '')
  history.disconnected('a', TUNNEL, 'replaced', '')
  history.connected('b', TUNNEL)
  expect(history.eventsOf('a')).toHaveLength(MAX_EVENTS)
  expect(history.ends()).toEqual({ a: { session_lost: MAX_EVENTS + 5, replaced: 1 } })
})

it('evicts the name with the oldest last event', () => {
  const history = new TunnelHistory(new ManualClock())
  history.connected('first', TUNNEL)
  for (let name = 0; name < 999; name += 1) history.connected(`name-${name}`, TUNNEL)
  history.connected('first', TUNNEL)
  history.connected('last', TUNNEL)
  expect(history.eventsOf('name-0')).toEqual([])
  expect(history.eventsOf('first')).toHaveLength(2)
})
