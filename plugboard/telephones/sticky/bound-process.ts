// Finds the process to which an earlier response has bound a client. A process is known by the name of its telephone, because a
// name outlives a restart. The values of processes are computed once and kept with the process.

import { keyedHash } from '../../limits/keyed-hash.ts'
import type { PickRequest } from '../picker/pick-request.ts'
import {
  type Candidate,
  canTakeIgnoringWeight,
  isBelowLimit,
  type LinePool,
  type PooledProcess,
} from '../pools/line-pool.ts'
import { bestLine } from '../pools/process-lines.ts'
import type { StickyService, StickySession } from './sticky-session.ts'

/**
 * Returns a line of the process to which the client is bound; undefined: it is not bound, or the process takes no stream now. A
 * process with the weight 0 keeps its sessions.
 */
export function boundLine(
  { processes }: LinePool,
  { service, received }: StickySession,
  request: PickRequest,
): Candidate | undefined {
  if (received === undefined) return undefined
  for (const process of processes) {
    if (sessionValue(process, service) !== received) continue
    // Two processes have the name while a newer one replaces an older one.
    const line = lineOfSession(process, request)
    if (line !== undefined) return line
  }
  return undefined
}

/** Returns the value that the client has to repeat; undefined: it is bound to this process already. */
export function newSessionValue(
  process: PooledProcess,
  { service, received }: StickySession,
): string | undefined {
  const value = sessionValue(process, service)
  return value === received ? undefined : value
}

function lineOfSession(process: PooledProcess, { policy, client }: PickRequest): Candidate | undefined {
  if (!process.watch.admits || !isBelowLimit(process, policy.maxStreamsPerTelephone)) return undefined
  return bestLine(process.lines.filter(line => canTakeIgnoringWeight(line, client)))
}

function sessionValue(process: PooledProcess, { key }: StickyService): string {
  if (process.sessionKey !== key) {
    process.sessionKey = key
    process.sessionValue = keyedHash(telephoneKey(process), key).toString(36)
  }
  return process.sessionValue
}

/** Telephones with one name are the same only within one identity: see telephone-instances.ts. */
function telephoneKey({ key, telephone }: PooledProcess): string {
  return key.slice(0, key.indexOf('\0') + 1) + telephone
}
