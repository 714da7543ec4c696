// The stream that the line picker chooses a line for, with the part of the service's policy that the choice depends on.

import type { OutlierPolicy } from '../../routes/options/outlier-policy.ts'
import type { Balancing } from '../balancing/balancing.ts'
import type { Candidate } from '../pools/line-pool.ts'
import type { StickySession } from '../sticky/sticky-session.ts'
import type { SubsetChoice } from '../subsets/subset-choice.ts'
import type { Locality } from './near-processes.ts'

export interface PickPolicy {
  readonly balancing: Balancing
  /** Limit of open streams of the service through this replica; null: no limit. */
  readonly maxStreams: number | null
  /** Limit of open streams of one process through this replica; null: no limit. */
  readonly maxStreamsPerTelephone: number | null
  /** Time in which the weight of a new process grows to its full value, ms; 0: at once. */
  readonly slowStartMs: number
  /** `try`: when the health check of each process fails, requests are sent nevertheless. */
  readonly whenAllDown: 'refuse' | 'try'
  /** Prefers processes that are near this replica. Absent or null: all processes are equal. */
  readonly locality?: Locality | null
  /** Passive ejection; false: no process is ejected. */
  readonly outlier: OutlierPolicy
}

/** The stream that a line is picked for. The owner of a request is one itself, so that a pick allocates no memory. */
export interface PickRequest {
  /** Name of the service. */
  readonly service: string
  readonly policy: PickPolicy
  /** Lines that are not used again; undefined: this is the first attempt. */
  readonly tried: readonly Candidate[] | undefined
  /** A line that was picked before. It comes first, then other lines of its process. */
  readonly preferred: Candidate | undefined
  /** The client of the stream; empty: unknown. A line is skipped when the client holds its share of that line's streams. */
  readonly client: string
  /** A hash of the value that the request is balanced by; undefined: the request has no such value. */
  readonly key: number | undefined
  /** The sticky session of the client. Absent: the service has no sticky sessions. */
  readonly session?: StickySession | undefined
  /** The name of the only telephone that may get the stream, whatever the balancing policy says. Absent: any telephone. */
  readonly onlyTelephone?: string | undefined
  /** The subset of processes that the request uses. Absent: the service has no subsets. */
  readonly subset?: SubsetChoice | undefined
}
