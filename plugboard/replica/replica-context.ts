// The objects that all parts of one replica share: its settings and limits, its identity, the registry, the clock, the log,
// and the list of running parts.

import { type Clock, systemClock } from '@vera-stack/shared/clock.ts'
import type { Log } from '@vera-stack/shared/log.ts'
import { openFilesLimit } from '@vera-stack/shared/process/open-files.ts'
import { asReplicaId, type ReplicaId } from '../common/ids/replica-id.ts'
import type { LoadedPlugboardConfig, PlugboardConfig } from '../config.ts'
import { createObservation, type Observation } from '../observe/observation.ts'
import { newIncarnation } from '../registry/incarnation.ts'
import { Registry } from '../registry/registry.ts'
import { TunnelCounts } from '../registry/tunnel-counts.ts'
import { Lifecycle } from './lifecycle.ts'
import { type FittedLimits, fitLimits } from './limits/fitted-limits.ts'
import type { ListenTarget } from './ports/listen-addresses.ts'
import { listenError } from './ports/listen-error.ts'
import { PublicAddress } from './ports/public-address.ts'
import { RunningParts } from './running-parts.ts'

export interface PlugboardOptions {
  readonly config: PlugboardConfig
  /** The source of each value of `config`. Default: each value counts as a default. */
  readonly sources?: LoadedPlugboardConfig['sources']
  readonly log: Log
  readonly clock?: Clock
  /** Aborts a start in progress: the started parts stop, and the start rejects with the reason of the signal. */
  readonly signal?: AbortSignal
  /** The names of the flags in errors about a port that is taken. */
  readonly portFlags?: PortFlags
  /** False: requests are neither counted nor kept, so that a benchmark can measure the cost of both. Default: true. */
  readonly measuresRequests?: boolean
}

interface PortFlags {
  readonly listen: string
  readonly adminListen: string
}

type ListenSetting = 'listen' | 'adminListen' | 'peerListen' | 'tlsListen' | 'metricsListen'

export class ReplicaContext {
  /** The settings, with limits that fit the limit of open files. */
  readonly config: PlugboardConfig
  readonly limits: FittedLimits
  readonly log: Log
  readonly clock: Clock
  readonly startSignal: AbortSignal | undefined
  readonly startedAt: Date
  /** The name of this replica: the same after a restart, and unique in its cluster. */
  readonly id: ReplicaId
  /** New at each start. */
  readonly incarnation: string
  readonly registry = new Registry()
  readonly tunnelCounts = new TunnelCounts()
  readonly observation: Observation
  readonly running: RunningParts
  readonly lifecycle: Lifecycle
  readonly address: PublicAddress
  readonly measuresRequests: boolean
  readonly #portFlags: PortFlags

  constructor(options: PlugboardOptions) {
    const { config, sources, log, clock = systemClock, signal, portFlags, measuresRequests = true } = options
    const isSet = (setting: keyof PlugboardConfig): boolean =>
      sources !== undefined && sources[setting].kind !== 'default' && sources[setting].kind !== 'none'
    this.limits = fitLimits({ config, isSet, openFiles: openFilesLimit() })
    this.config = this.limits.config
    this.log = log
    this.clock = clock
    this.startSignal = signal
    this.measuresRequests = measuresRequests
    this.startedAt = new Date(clock.wallTime())
    this.id = asReplicaId(config.name)
    this.incarnation = newIncarnation(this.startedAt.getTime(), Math.random)
    this.observation = createObservation(this.id, clock, log)
    this.running = new RunningParts(log)
    this.lifecycle = new Lifecycle(clock, this.config.drainTimeoutMs)
    this.address = new PublicAddress(config.publicUrl)
    this.#portFlags = portFlags ?? { listen: '--listen', adminListen: '--admin-listen' }
  }

  flagOf(setting: ListenSetting): string {
    const others = {
      peerListen: '--peer-listen',
      tlsListen: '--tls-listen',
      metricsListen: '--metrics-listen',
    }
    return { ...this.#portFlags, ...others }[setting]
  }

  /** Returns all addresses of this replica. `peerListen` is included only in a cluster. */
  listenTargets(): ListenTarget[] {
    const { listen, adminListen, tlsListen, peerListen, metricsListen, clusterSecret } = this.config
    return [
      { addresses: listen, flag: this.flagOf('listen') },
      { addresses: [adminListen], flag: this.flagOf('adminListen') },
      { addresses: tlsListen === undefined ? [] : [tlsListen], flag: this.flagOf('tlsListen') },
      { addresses: metricsListen === undefined ? [] : [metricsListen], flag: this.flagOf('metricsListen') },
      { addresses: clusterSecret === undefined ? [] : [peerListen], flag: this.flagOf('peerListen') },
    ]
  }

  /** Rejects with StartupError, which names the flag, when the address cannot be opened. */
  async listening<Result>(
    opening: Promise<Result>,
    setting: Exclude<ListenSetting, 'listen'>,
  ): Promise<Result> {
    try {
      return await opening
    } catch (error) {
      const address = this.config[setting]
      throw address === undefined ? error : listenError(error, address, this.flagOf(setting))
    }
  }
}
