// The life of a session as one state, and the legal transitions. Each side can drain: "own" is this side, "peer" the other
// one. A state is a plain string without data, because the session compares it for every frame and every stream.
//
//   opening ──hello──▶ open ────────drain──▶ draining ──────drained──▶ drained
//                       │                       │                         │
//                   peer_drain              peer_drain                peer_drain
//                       ▼                       ▼                         ▼
//                 peer_draining ───drain──▶ both_draining ──drained──▶ both_drained
//
//   every state ──end──▶ closed

/**
 * `draining`: this side has sent `drain`. `drained`: the peer has confirmed it, so this side refuses new streams of the peer.
 * `peer_draining`: the peer has sent `drain`, and this side has confirmed it. `both_*`: both sides drain.
 */
export type SessionState =
  | 'opening'
  | 'open'
  | 'draining'
  | 'drained'
  | 'peer_draining'
  | 'both_draining'
  | 'both_drained'
  | 'closed'

/** `drain`: this side sends `drain`. `drained` and `peer_drain`: the peer sends `drained`, or `drain`. */
export type SessionTransition = 'hello' | 'drain' | 'drained' | 'peer_drain' | 'end'

type Transitions = { readonly [Event in SessionTransition]?: SessionState }

/** The next state for each event. A repeated message of the peer does not change the state. */
const NEXT: { readonly [State in SessionState]: Transitions } = {
  opening: { hello: 'open', end: 'closed' },
  open: { drain: 'draining', peer_drain: 'peer_draining', end: 'closed' },
  draining: { drained: 'drained', peer_drain: 'both_draining', end: 'closed' },
  drained: { drained: 'drained', peer_drain: 'both_drained', end: 'closed' },
  peer_draining: { drain: 'both_draining', peer_drain: 'peer_draining', end: 'closed' },
  both_draining: { drained: 'both_drained', peer_drain: 'both_draining', end: 'closed' },
  both_drained: { drained: 'both_drained', peer_drain: 'both_drained', end: 'closed' },
  closed: {},
}

/** Returns the state after the event; undefined: the event is not legal in this state. */
export function nextSessionState(state: SessionState, event: SessionTransition): SessionState | undefined {
  return NEXT[state][event]
}

/** Returns true when the event is legal in this state. */
export function allowsTransition(state: SessionState, event: SessionTransition): boolean {
  return NEXT[state][event] !== undefined
}

/** The state for owners of a session: `open` includes the states in which a side drains. */
export type SessionPhase = 'opening' | 'open' | 'closed'

export function phaseOf(state: SessionState): SessionPhase {
  return state === 'opening' || state === 'closed' ? state : 'open'
}

/** Returns true when this side accepts streams that the peer opens. */
export function acceptsStreams(state: SessionState): boolean {
  return state === 'open' || state === 'draining'
}

/** Returns true when the peer has confirmed the drain of this side. The session closes after its last stream. */
export function isDrained(state: SessionState): boolean {
  return state === 'drained' || state === 'both_drained'
}
