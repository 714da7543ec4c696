// The parts of the replica that the sources of metrics read, and the type of the sources of some rows of the table.

import type { MetricSources } from '@vera-stack/shared/metrics/metric.ts'
import type { PLUGBOARD_METRICS, PlugboardMetricName } from '../../metrics/plugboard-metrics.ts'
import type { ReplicaDatabase } from '../database/replica-database.ts'
import type { RequestLimits } from '../limits/request-limits.ts'
import type { PublicPorts } from '../ports/public-ports.ts'
import type { TelephoneSide } from '../telephone-side.ts'

export interface MetricParts {
  readonly database: ReplicaDatabase
  readonly telephones: TelephoneSide
  readonly limits: RequestLimits
  /** Returns the public ports, or undefined while they are not open. */
  readonly ports: () => PublicPorts | undefined
}

export type SourcesOf<Name extends PlugboardMetricName> = MetricSources<Pick<typeof PLUGBOARD_METRICS, Name>>
