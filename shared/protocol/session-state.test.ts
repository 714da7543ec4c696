import { describe, expect, it } from 'vitest'
import {
  acceptsStreams,
  allowsTransition,
  isDrained,
  nextSessionState,
  phaseOf,
  type SessionState,
  type SessionTransition,
} from './session-state.ts'

const EVENTS: readonly SessionTransition[] = ['hello', 'drain', 'drained', 'peer_drain', 'end']

/** Per state: the state after each event of EVENTS, in order; `-` for an illegal event. */
const TABLE: readonly (readonly [SessionState, string])[] = [
  ['opening', 'open - - - closed'],
  ['open', '- draining - peer_draining closed'],
  ['draining', '- - drained both_draining closed'],
  ['drained', '- - drained both_drained closed'],
  ['peer_draining', '- both_draining - peer_draining closed'],
  ['both_draining', '- - both_drained both_draining closed'],
  ['both_drained', '- - both_drained both_drained closed'],
  ['closed', '- - - - -'],
]

const states = TABLE.map(([state]) => state)

describe('the state of a session', () => {
  it.each(TABLE)('%s changes to the listed state at each legal event', (state, after) => {
    expect(EVENTS.map(event => nextSessionState(state, event) ?? '-').join(' ')).toBe(after)
  })

  it('is open for owners in every state between the hello and the end', () => {
    expect(states.filter(state => phaseOf(state) !== 'open')).toEqual(['opening', 'closed'])
  })

  it('accepts streams of the peer until a drain is confirmed by either side', () => {
    expect(states.filter(acceptsStreams)).toEqual(['open', 'draining'])
  })

  it('allows one drain of this side', () => {
    expect(states.filter(state => allowsTransition(state, 'drain'))).toEqual(['open', 'peer_draining'])
  })

  it('is drained only after the peer has confirmed the drain of this side', () => {
    expect(states.filter(isDrained)).toEqual(['drained', 'both_drained'])
  })
})
