// Compares the states of the replicas, and describes each difference that a person has to remove. States are read at slightly different
// times, so a comparison accepts each difference that can arise between the request and its response.

import type { RemoteState } from '../../bodies/cluster-status.ts'

/** The state of another replica, and the times of the request and of the last response, ms by the clock of this replica. */
export interface AnsweredState {
  readonly state: RemoteState
  readonly askedMs: number
  readonly answeredMs: number
}

/** Tokens of links allow 60 s. A smaller difference already affects leases and the expiry of tokens. */
const MAX_CLOCK_DIFFERENCE_MS = 1000

/** Returns sentences. `own`: the state of this replica, read before the requests. */
export function disagreementsOf(own: RemoteState, others: readonly AnsweredState[]): string[] {
  const states = [own, ...others.map(({ state }) => state)]
  return [
    ...versions(states),
    ...settings(states),
    ...states.flatMap(migrations),
    ...others.flatMap(other => clockDifference(own, other)),
    ...others.flatMap(other => changes(own, other)),
    ...databases(states),
    ...brokenLinks(states),
  ]
}

function versions(states: readonly RemoteState[]): string[] {
  const groups = groupsOf(states, ({ version }) => version)
  if (groups.size < 2) return []
  return [`Replicas run different versions: ${texts(groups)}. Update the older ones.`]
}

function settings(states: readonly RemoteState[]): string[] {
  const names = new Set(states.flatMap(state => Object.keys(state.settings)))
  return [...names].sort().flatMap(name => {
    // A replica of another version may not have the setting.
    const having = states.filter(state => Object.hasOwn(state.settings, name))
    const groups = groupsOf(having, state => state.settings[name] ?? '')
    if (groups.size < 2) return []
    const sides = [...groups.values()].map(listed).join(' and ')
    return [`The setting ${name} is not the same on ${sides}. Give all replicas the same value.`]
  })
}

function migrations({ id, newerMigrations }: RemoteState): string[] {
  if (newerMigrations.length === 0) return []
  return [`The version of ${id} lacks migrations of the database: ${listed(newerMigrations)}. Update ${id}.`]
}

/** The clock of the other replica was read at some time between the request and the response. */
function clockDifference(own: RemoteState, { state, askedMs, answeredMs }: AnsweredState): string[] {
  const behindMs = askedMs - state.wallTime
  const aheadMs = state.wallTime - answeredMs
  const ms = Math.max(behindMs, aheadMs)
  if (ms <= MAX_CLOCK_DIFFERENCE_MS) return []
  const side = aheadMs > behindMs ? 'ahead of' : 'behind'
  const seconds = (ms / 1000).toFixed(1)
  return [
    `The clock of ${state.id} is at least ${seconds} s ${side} the clock of ${own.id}. Synchronise both by NTP.`,
  ]
}

/** The state of this replica was read before the response, so the other replica should have its changes. */
function changes(own: RemoteState, { state }: AnsweredState): string[] {
  const behind = own.appliedSequence - state.appliedSequence
  if (behind <= 0) return []
  return [
    `${state.id} is ${behind} change${behind === 1 ? '' : 's'} behind ${own.id}. Check its connection to the database.`,
  ]
}

function databases(states: readonly RemoteState[]): string[] {
  const without = states.filter(({ isDatabaseReachable }) => !isDatabaseReachable)
  if (without.length === 0 || without.length === states.length) return []
  const ids = listed(without.map(({ id }) => id))
  return [`${ids} cannot reach the database, and the other replicas can. Changes do not arrive there.`]
}

/** A link that one end has and the other end lacks. */
function brokenLinks(states: readonly RemoteState[]): string[] {
  const linksOf = new Map(
    states.map(({ id, links }) => [id, new Map(links.map(link => [link.replicaId, link]))]),
  )
  return states.flatMap(({ id }, index) =>
    states.slice(index + 1).flatMap(({ id: other }) => {
      const there = linksOf.get(id)?.get(other)?.link ?? 'none'
      const back = linksOf.get(other)?.get(id)?.link ?? 'none'
      if (there === 'none' && back === 'none')
        return [`${id} and ${other} have no link. Check the network between them, and peerUrl.`]
      if (there === 'accepted') return [`${id} cannot dial ${other}. Check peerUrl of ${other}.`]
      return back === 'accepted' ? [`${other} cannot dial ${id}. Check peerUrl of ${id}.`] : []
    }),
  )
}

function groupsOf(
  states: readonly RemoteState[],
  keyOf: (state: RemoteState) => string,
): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const state of states) {
    const ids = groups.get(keyOf(state))
    if (ids === undefined) groups.set(keyOf(state), [state.id])
    else ids.push(state.id)
  }
  return groups
}

const texts = (groups: ReadonlyMap<string, readonly string[]>): string =>
  [...groups].map(([value, ids]) => `${value} (${listed(ids)})`).join(', ')

const listed = (names: readonly string[]): string => names.join(', ')
