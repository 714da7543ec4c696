// The form of a policy: its common keys. An empty field has the default. Keys without a field here are edited as YAML.

import type { FormGroup } from '../../forms/form-fields.tsx'

/** A field without a value has the default of the API, which the form shows. */
export const SERVICE_FORM: readonly FormGroup[] = [
  {
    title: 'Balancing',
    fields: [
      {
        path: ['balancing'],
        label: 'Balancing',
        kind: 'choice',
        placeholder: 'peak_ewma',
        choices: [
          ['peak_ewma', 'peak_ewma'],
          ['least_streams', 'least_streams'],
          ['round_robin', 'round_robin'],
          ['random', 'random'],
          ['hash', 'hash'],
        ],
      },
      { path: ['slowStartMs'], label: 'Slow start, ms', kind: 'number', placeholder: '0' },
      {
        path: ['outlier'],
        label: 'Passive ejection',
        kind: 'choice',
        placeholder: 'on',
        choices: [[false, 'off']],
      },
      {
        path: ['whenAllDown'],
        label: 'When all health checks fail',
        kind: 'choice',
        placeholder: 'refuse',
        choices: [
          ['refuse', 'refuse'],
          ['try', 'try'],
        ],
      },
    ],
  },
  {
    title: 'Times and retries',
    fields: [
      { path: ['retries'], label: 'Retries', kind: 'number', placeholder: '2' },
      {
        path: ['responseHeadTimeoutMs'],
        label: 'Time to the response head, ms',
        kind: 'number',
        placeholder: '30000',
      },
      { path: ['idleTimeoutMs'], label: 'Idle time, ms', kind: 'number', placeholder: '300000' },
      { path: ['holdMs'], label: 'Wait for a telephone, ms', kind: 'number', placeholder: '0' },
    ],
  },
  {
    title: 'Open streams',
    fields: [
      { path: ['maxStreams'], label: 'On each replica', kind: 'number', placeholder: 'no limit' },
      { path: ['maxStreamsPerTelephone'], label: 'Of one process', kind: 'number', placeholder: 'no limit' },
    ],
  },
]
