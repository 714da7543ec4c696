// Fits the limits of connections to backends into the system's limit of open files. Each connection and each tunnel is
// an open file. Without these limits, many simultaneous requests could leave no file for the next tunnel.

import { divideOpenFiles, type LoweredLimits } from '@vera-stack/shared/process/open-files.ts'
import type { Service } from '../options/service-options.ts'
import { HTTP1_MAX_CONNECTIONS } from './http1/pool/pool.ts'
import { HTTP2_MAX_CONNECTIONS } from './http2/session-pool.ts'

/** Limits of the connections to one backend. */
export interface BackendLimits {
  readonly maxConnections: number
  /** Connections in addition to `maxConnections`: upgraded ones, and HTTP/2 connections that finish their last streams. */
  readonly maxDetached: number
}

export interface FittedBackends {
  /** Limits by the name of the service. */
  readonly limits: ReadonlyMap<string, BackendLimits>
  /** The lowered limits, for the log. Undefined when all limits fit. */
  readonly lowered: LoweredLimits | undefined
}

/** Files and sockets of the process itself, without a tunnel. */
const RESERVED = 56
/** A default limit that is lowered below this share is reported as a problem. */
const ENOUGH = 1 / 4
/** Files for a tunnel and for the tunnel that replaces it. */
const FILES_PER_TUNNEL = 2

/** `openFiles`: the result of `openFilesLimit`. Each service gets at least one connection. */
export function fitBackendLimits(
  services: readonly Service[],
  tunnels: number,
  openFiles: number,
): FittedBackends {
  const wanted = services.flatMap(service => {
    const { target, service: name, pool } = service
    if (typeof target === 'function') return []
    const usual = target.http2 ? HTTP2_MAX_CONNECTIONS : HTTP1_MAX_CONNECTIONS
    return [{ name, maxConnections: pool.maxConnections ?? usual, isSet: pool.maxConnections !== undefined }]
  })
  const checks = services.filter(({ healthCheck }) => healthCheck !== undefined).length
  const available = Math.max(0, openFiles - RESERVED - FILES_PER_TUNNEL * tunnels - checks)
  const demands = wanted.map(({ maxConnections }) => ({ wanted: maxConnections, weight: 1 }))
  // Upgraded connections get as much as all services, so that WebSockets cannot use up the connections of requests.
  const detached = { wanted: Number.POSITIVE_INFINITY, weight: Math.max(1, wanted.length) }
  const granted = divideOpenFiles(available, [...demands, detached])
  const maxDetached = Math.max(1, Math.floor((granted.at(-1) as number) / Math.max(1, wanted.length)))
  const limits = new Map<string, BackendLimits>()
  const lowered: string[] = []
  let isProblem = false
  for (const [index, { name, maxConnections, isSet }] of wanted.entries()) {
    const fitted = Math.max(1, granted[index] as number)
    limits.set(name, { maxConnections: fitted, maxDetached })
    if (fitted >= maxConnections) continue
    lowered.push(`${name} from ${maxConnections} to ${fitted}`)
    if (isSet || fitted < maxConnections * ENOUGH) isProblem = true
  }
  if (lowered.length === 0) return { limits, lowered: undefined }
  const advice = isProblem
    ? 'Raise that limit, or lower this setting.'
    : 'This is enough for most backends. For more connections at once, raise that limit.'
  const detail = `maxConnections of ${lowered.join(', ')}: the limit of open files is ${openFiles}. ${advice}`
  return { limits, lowered: { isProblem, detail } }
}
