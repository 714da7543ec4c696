// The state of a process for operators: why it receives requests, or why not.

import { isAvailable, type PooledProcess } from '../pools/line-pool.ts'

export const PROCESS_STATES = ['serving', 'half_open', 'ejected', 'down', 'unreachable', 'draining'] as const
/**
 * `ejected`: by passive ejection, or by an operator. `half_open`: by passive ejection. `down`: its health check fails. `unreachable`: no link leads to its replicas.
 * `draining`: its weight is 0, or it has disconnected and its last streams have not ended.
 */
export type ProcessState = (typeof PROCESS_STATES)[number]

export function processState({ lines, fullWeight, watch }: PooledProcess): ProcessState {
  if (lines.length === 0 || fullWeight === 0) return 'draining'
  if (watch.isHeld) return 'ejected'
  if (watch.state.kind !== 'serving') return watch.state.kind
  if (lines.every(({ line }) => line.health === 'down')) return 'down'
  return lines.some(isAvailable) ? 'serving' : 'unreachable'
}
