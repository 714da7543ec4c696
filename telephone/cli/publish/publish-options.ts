// The parts of a Telephone that its metrics and traces need.

import type { Logger } from '@vera-stack/shared/log.ts'
import type { TelephoneConfig } from '../../config.ts'
import type { TelephoneMeters } from '../../metrics/telephone-meters.ts'
import type { Service } from '../../options/service-options.ts'
import type { Telephone } from '../../telephone.ts'

export interface PublishOptions {
  /** A Telephone that has not started yet. */
  readonly telephone: Telephone
  readonly services: readonly Service[]
  readonly meters: TelephoneMeters
  readonly config: TelephoneConfig
  readonly log: Logger
}
