import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HELD_MS, type Step, step, type TunnelEvent, type TunnelState } from './tunnel-state.ts'

/** Returns the effects of a sequence of events from the start. */
function run(...events: TunnelEvent[]): { states: string[]; effects: string[] } {
  let state: TunnelState = { kind: 'waiting' }
  const states: string[] = []
  const effects: string[] = []
  for (const event of events) {
    const next: Step = step(state, event)
    state = next.state
    states.push(state.kind)
    effects.push(
      ...next.effects.map(effect => (effect.kind === 'wait' ? `wait ${effect.pace}` : effect.kind)),
    )
  }
  return { states, effects }
}

const up: TunnelEvent[] = [
  { kind: 'timer' },
  { kind: 'dialed' },
  { kind: 'greeted' },
  { kind: 'announced', nowMs: 0 },
]

describe('a tunnel slot', () => {
  it('opens in steps', () => {
    expect(run(...up)).toEqual({
      states: ['dialing', 'greeting', 'announcing', 'ready'],
      effects: ['dial', 'greet', 'announce', 'drain_retired'],
    })
  })

  it('dials a replacement before it releases a draining tunnel', () => {
    const { states, effects } = run(...up, { kind: 'peer_drain' }, ...up.slice(1))
    expect(states.slice(4)).toEqual(['dialing', 'greeting', 'announcing', 'ready'])
    expect(effects.slice(4)).toEqual(['retire', 'dial', 'greet', 'announce', 'drain_retired'])
  })

  it('retries slowly after a failure that only a person can correct', () => {
    const refused: TunnelEvent = { kind: 'dial_failed', unauthorized: true, retryAfterMs: undefined }
    expect(run({ kind: 'timer' }, refused).effects).toEqual(['dial', 'wait slow'])
    for (const reason of ['replaced', 'unauthorized', 'unsupported_version'] as const) {
      expect(run(...up, { kind: 'lost', reason, nowMs: 1, newToken: false }).effects.at(-1)).toBe('wait slow')
    }
    const silent: TunnelEvent = { kind: 'lost', reason: 'ping_timeout', nowMs: 1, newToken: false }
    expect(run(...up, silent).effects.at(-1)).toBe('wait backoff')
  })

  it('dials soon after a refused token when there is a new one', () => {
    const lost = (newToken: boolean): TunnelEvent => ({
      kind: 'lost',
      reason: 'unauthorized',
      nowMs: 1,
      newToken,
    })
    expect(run(...up, lost(false)).effects.at(-1)).toBe('wait slow')
    expect(run(...up, lost(true)).effects.at(-1)).toBe('wait backoff')
  })

  it('uses short delays again only after a tunnel has stayed open', () => {
    const lost = (nowMs: number): TunnelEvent => ({
      kind: 'lost',
      reason: 'session_lost',
      nowMs,
      newToken: false,
    })
    expect(run(...up, lost(HELD_MS - 1)).effects).not.toContain('reset_backoff')
    expect(run(...up, lost(HELD_MS)).effects).toContain('reset_backoff')
  })

  it('waits for the time of Retry-After', () => {
    const { effects } = step(
      { kind: 'dialing' },
      { kind: 'dial_failed', unauthorized: false, retryAfterMs: 7000 },
    )
    expect(effects).toEqual([{ kind: 'wait', pace: 'backoff', atLeastMs: 7000 }])
  })

  it('dials only without a session, waits once at a time, and ends once, for any events', () => {
    const reason = fc.constantFrom('session_lost', 'going_away', 'replaced', 'draining')
    const anyEvent: fc.Arbitrary<TunnelEvent> = fc.oneof(
      fc.constantFrom<TunnelEvent>(
        { kind: 'timer' },
        { kind: 'dialed' },
        { kind: 'greeted' },
        { kind: 'peer_drain' },
        { kind: 'move' },
      ),
      fc.record({ kind: fc.constant('announced'), nowMs: fc.nat() }),
      fc.record({
        kind: fc.constant('lost'),
        reason,
        nowMs: fc.nat(),
        newToken: fc.boolean(),
      }) as fc.Arbitrary<TunnelEvent>,
      fc.constant<TunnelEvent>({ kind: 'dial_failed', unauthorized: false, retryAfterMs: undefined }),
      fc.constant<TunnelEvent>({ kind: 'stop' }),
    )
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), events => {
        let state: TunnelState = { kind: 'waiting' }
        let session = false
        let waiting = true
        let ended = 0
        for (const event of events) {
          const next: Step = step(state, event)
          for (const effect of next.effects) {
            if (effect.kind === 'dial') {
              expect(session).toBe(false)
              waiting = false
            } else if (effect.kind === 'greet') session = true
            else if (effect.kind === 'retire') session = false
            else if (effect.kind === 'wait') {
              expect(waiting).toBe(false)
              waiting = true
              session = false
            } else if (effect.kind === 'end') ended += 1
          }
          state = next.state
          if (ended > 0) expect(state.kind).toBe('stopped')
        }
        expect(ended).toBeLessThanOrEqual(1)
      }),
    )
  })
})
