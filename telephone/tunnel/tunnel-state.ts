// The lifecycle of one tunnel slot as a pure function: it maps a state and an event to a new state and effects. tunnel.ts
// performs the effects. A slot has at most one current session. A draining session is retired: it serves its streams to
// the end while the slot already dials the next session (make before break).
//
//            ┌────────────── timer ─────────────┐
//            │                                  ▼
//   start ─► waiting ◄── dial failed ──────── dialing ◄─────────┐
//            ▲  ▲ ▲                             │ dialed         │ peer drains, or move:
//            │  │ └──────── lost ─────────── greeting            │ retire, dial
//            │  │                               │ greeted        │
//            │  └────────── lost ────────── announcing ──────────┤
//            │                                  │ announced      │
//            └───────────── lost ───────────  ready ─────────────┘
//
//   stop, from anywhere ─► stopped

import type { Reason } from '@vera-stack/shared/protocol/wire/reason.ts'

export type TunnelState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'dialing' }
  | { readonly kind: 'greeting' }
  | { readonly kind: 'announcing' }
  | { readonly kind: 'ready'; readonly sinceMs: number }
  | { readonly kind: 'stopped' }

export type TunnelEvent =
  | { readonly kind: 'timer' }
  | { readonly kind: 'dialed' }
  | {
      readonly kind: 'dial_failed'
      readonly unauthorized: boolean
      readonly retryAfterMs: number | undefined
    }
  | { readonly kind: 'greeted' }
  | { readonly kind: 'announced'; readonly nowMs: number }
  | {
      readonly kind: 'lost'
      readonly reason: Reason
      readonly nowMs: number
      /** True when the next dial uses another token than the lost session. */
      readonly newToken: boolean
    }
  | { readonly kind: 'peer_drain' }
  /** Another replica is better. */
  | { readonly kind: 'move' }
  | { readonly kind: 'stop' }

export type TunnelEffect =
  | { readonly kind: 'dial' }
  /** Creates a session on the connection. */
  | { readonly kind: 'greet' }
  | { readonly kind: 'announce' }
  /** `slow`: only the operator or the other process can change the result of a dial. */
  | { readonly kind: 'wait'; readonly pace: 'backoff' | 'slow'; readonly atLeastMs: number }
  | { readonly kind: 'reset_backoff' }
  /** The current session becomes a retired one. */
  | { readonly kind: 'retire' }
  /** The new session serves. Retired sessions finish their streams and close. */
  | { readonly kind: 'drain_retired' }
  /** Drains the current session, and cancels the dial in progress. */
  | { readonly kind: 'end' }

export interface Step {
  readonly state: TunnelState
  readonly effects: readonly TunnelEffect[]
}

/** After a tunnel stayed open this long, the next failure starts with the shortest delay. */
export const HELD_MS = 30_000

const WAITING: TunnelState = { kind: 'waiting' }
const DIALING: TunnelState = { kind: 'dialing' }

export function step(state: TunnelState, event: TunnelEvent): Step {
  if (event.kind === 'stop') {
    return state.kind === 'stopped' ? same(state) : { state: { kind: 'stopped' }, effects: [{ kind: 'end' }] }
  }
  switch (state.kind) {
    case 'waiting':
      return event.kind === 'timer' ? { state: DIALING, effects: [{ kind: 'dial' }] } : same(state)
    case 'dialing':
      if (event.kind === 'dialed') return { state: { kind: 'greeting' }, effects: [{ kind: 'greet' }] }
      return event.kind === 'dial_failed' ? waitAfterDial(event) : same(state)
    case 'greeting':
      if (event.kind === 'greeted') return { state: { kind: 'announcing' }, effects: [{ kind: 'announce' }] }
      return event.kind === 'lost' ? waitAfterLoss(event, false) : same(state)
    case 'announcing':
      switch (event.kind) {
        case 'announced':
          return { state: { kind: 'ready', sinceMs: event.nowMs }, effects: [{ kind: 'drain_retired' }] }
        case 'lost':
          return waitAfterLoss(event, false)
        case 'peer_drain':
          return replace()
        default:
          return same(state)
      }
    case 'ready':
      switch (event.kind) {
        case 'lost':
          return waitAfterLoss(event, event.nowMs - state.sinceMs >= HELD_MS)
        case 'peer_drain':
        case 'move':
          return replace()
        default:
          return same(state)
      }
    case 'stopped':
      return same(state)
    default:
      return state satisfies never
  }
}

/** Returns no effects, for a late event of a session or a dial that is no longer current. */
function same(state: TunnelState): Step {
  return { state, effects: [] }
}

function replace(): Step {
  return { state: DIALING, effects: [{ kind: 'retire' }, { kind: 'dial' }] }
}

function waitAfterDial(event: { unauthorized: boolean; retryAfterMs: number | undefined }): Step {
  const pace = event.unauthorized ? 'slow' : 'backoff'
  return { state: WAITING, effects: [{ kind: 'wait', pace, atLeastMs: event.retryAfterMs ?? 0 }] }
}

function waitAfterLoss(event: Extract<TunnelEvent, { kind: 'lost' }>, held: boolean): Step {
  const wait = { kind: 'wait', pace: isLasting(event) ? 'slow' : 'backoff', atLeastMs: 0 } as const
  return { state: WAITING, effects: held ? [{ kind: 'reset_backoff' }, wait] : [wait] }
}

/** True when the next session would end for the same reason. */
function isLasting({ reason, newToken }: { reason: Reason; newToken: boolean }): boolean {
  if (reason === 'unauthorized') return !newToken
  return reason === 'replaced' || reason === 'unsupported_version'
}
