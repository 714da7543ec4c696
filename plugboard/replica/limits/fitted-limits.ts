// Makes the limits of a Plugboard process fit into the system's limit of open files. Each connection, tunnel and file is
// an open file. Without this, a process with a small limit runs out of them long before its own limits apply: then files
// cannot be read, the database cannot be reached, and telephones cannot connect. replica-context.ts calls it once, at the start.

import { divideOpenFiles, type LoweredLimits } from '@vera-stack/shared/process/open-files.ts'
import { StartupError } from '../../common/startup-error.ts'
import type { PlugboardConfig } from '../../config.ts'
import { UNFINISHED_SHARE } from '../../proxy/proxy-limits.ts'

/** Settings that can be lowered. */
type LimitSettings = Pick<
  PlugboardConfig,
  'maxConnections' | 'maxConnectionsPerAddress' | 'maxTunnels' | 'databaseConnections'
>

export interface FittedLimits {
  /** The settings, with the lowered ones. */
  readonly config: PlugboardConfig
  /** Connections to the admin port. */
  readonly maxAdminConnections: number
  /** Connections to the peer port. */
  readonly maxPeerConnections: number
  /** Undefined when everything fits. */
  readonly lowered: LoweredLimits | undefined
}

export interface FitLimitsOptions {
  readonly config: PlugboardConfig
  /** True when the operator has set the value of this setting. Default: no setting is set. */
  readonly isSet?: ((setting: keyof PlugboardConfig) => boolean) | undefined
  /** The result of `openFilesLimit`. */
  readonly openFiles: number
}

/** Files and sockets that every process has or may open for a moment: a start without clients holds 28. */
const RESERVED = 64
/** Below this limit, no division leaves enough for a service. */
const MIN_OPEN_FILES = 128
const MAX_ADMIN_CONNECTIONS = 1000
const MAX_PEER_CONNECTIONS = 1000
/** Connections of the database beside its pool: the feed of changes, the owner of an embedded database, migrations. */
const DATABASE_EXTRA = 3

/**
 * Smallest limits that are enough without a warning. They are met from about 2,000 open files on. A lower limit refuses
 * clients of a small installation, so its operator has to raise the limit of open files.
 */
const ENOUGH = {
  maxConnections: 1000,
  maxConnectionsPerAddress: 1,
  maxTunnels: 500,
  databaseConnections: 10,
} as const satisfies LimitSettings

/** Dials of telephones that are being authenticated, per tunnel. */
export const PENDING_TUNNEL_SHARE = 1 / 10

/** Throws StartupError when the limit of open files is too small for any service. */
export function fitLimits({ config, isSet = () => false, openFiles }: FitLimitsOptions): FittedLimits {
  if (openFiles < MIN_OPEN_FILES) {
    throw new StartupError(
      `The limit of open files is ${openFiles}, and Plugboard needs at least ${MIN_OPEN_FILES}. ` +
        'Raise it: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker.',
    )
  }
  const { maxConnections, maxConnectionsPerAddress, maxTunnels, databaseConnections } = config
  const filesPerConnection = 1 + UNFINISHED_SHARE * unfinishedStages(config)
  const filesPerTunnel = 1 + PENDING_TUNNEL_SHARE
  const [connectionFiles, tunnelFiles, databaseFiles, adminFiles, peerFiles] = divideOpenFiles(
    openFiles - RESERVED,
    [
      { wanted: maxConnections * filesPerConnection, weight: 6 },
      { wanted: maxTunnels * filesPerTunnel, weight: 3 },
      { wanted: databaseConnections + DATABASE_EXTRA, weight: 1 },
      { wanted: MAX_ADMIN_CONNECTIONS, weight: 1 },
      { wanted: config.clusterSecret === undefined ? 0 : MAX_PEER_CONNECTIONS, weight: 1 },
    ],
  ) as [number, number, number, number, number]
  const limits = {
    maxConnections: Math.min(maxConnections, Math.floor(connectionFiles / filesPerConnection)),
    maxConnectionsPerAddress,
    maxTunnels: Math.min(maxTunnels, Math.floor(tunnelFiles / filesPerTunnel)),
    databaseConnections: databaseFiles - DATABASE_EXTRA,
  }
  if (limits.maxConnections < maxConnections) {
    // The share of one address stays as it was, so that one client does not get all the connections.
    const share = Math.min(1, maxConnectionsPerAddress / maxConnections)
    limits.maxConnectionsPerAddress = Math.max(1, Math.floor(limits.maxConnections * share))
  }
  return {
    config: { ...config, ...limits },
    maxAdminConnections: adminFiles,
    maxPeerConnections: peerFiles,
    lowered: loweredOf({ wanted: config, fitted: limits, isSet, openFiles }),
  }
}

function unfinishedStages({ tlsListen, proxyProtocol }: PlugboardConfig): number {
  const listeners = tlsListen === undefined ? 1 : 2
  return (tlsListen === undefined ? 0 : 1) + (proxyProtocol ? listeners : 0)
}

function loweredOf(parts: {
  readonly wanted: LimitSettings
  readonly fitted: LimitSettings
  readonly isSet: (setting: keyof LimitSettings) => boolean
  readonly openFiles: number
}): LoweredLimits | undefined {
  const { wanted, fitted, isSet, openFiles } = parts
  const names = ['maxConnections', 'maxConnectionsPerAddress', 'maxTunnels', 'databaseConnections'] as const
  const lowered = names.filter(name => fitted[name] < wanted[name])
  if (lowered.length === 0) return undefined
  const changes = lowered.map(name => `${name} from ${wanted[name]} to ${fitted[name]}`).join(', ')
  const isProblem = lowered.some(name => isSet(name) || fitted[name] < ENOUGH[name])
  const advice = isProblem
    ? 'Raise that limit, or lower these settings.'
    : 'This is enough for most installations. To serve more clients at once, raise that limit.'
  return { isProblem, detail: `${changes}: the limit of open files is ${openFiles}. ${advice}` }
}
