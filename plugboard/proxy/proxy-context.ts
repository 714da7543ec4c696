// What every request on the public port needs of the rest of Plugboard, handed around as one object.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Logger } from '@vera-stack/shared/log.ts'
import type { LinePicker } from '../telephones/lines/line-picker.ts'
import type { AccessSink } from './access.ts'
import type { ProxyCounters } from './counters.ts'
import type { Deadlines } from './deadlines.ts'
import type { Via } from './edge/via.ts'
import type { ServiceErrors } from './policy/service-errors.ts'
import type { RefusalLog } from './response/refusal-log.ts'

/** After this process was away (peers/recovery.ts). */
export interface LineRecovery {
  /** No line is to be trusted before the next step. */
  readonly doubtful: boolean
  /** A line that is not there may be so in a moment. */
  readonly underWay: boolean
  /** Calls back once, when it is worth another look. */
  onStep(task: () => void): void
}

export interface ProxyContext {
  readonly picker: LinePicker
  readonly clock: Clock
  readonly deadlines: Deadlines
  /** Deadlines of bytes that are read and discarded (discard-deadline.ts). Such bodies do not count as in flight. */
  readonly discardDeadlines: Deadlines
  /** Deadlines of connections between two requests. */
  readonly idleDeadlines: Deadlines
  readonly counters: ProxyCounters
  /** Undefined: there is no access log, and nothing is measured for it. */
  readonly access: AccessSink | undefined
  /** Logs refusals of bytes that never became a request. */
  readonly refusals: RefusalLog
  /** The last failure of each service. */
  readonly serviceErrors: ServiceErrors
  readonly log: Logger
  readonly via: Via
  readonly underscoreHeaders: 'pass' | 'drop'
  /** Absent: there is nobody else whose lines could come back. */
  readonly recovery?: LineRecovery | undefined
  readonly bodyIdleTimeoutMs: number
  /** Slowest request body that is taken, bytes per second over 30 s; 0: any. */
  readonly minBodyRateBytes: number
  /** Every answer from now on closes its connection. */
  draining: boolean
}
