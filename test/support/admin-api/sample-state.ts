// The state of a replica, for tests of the admin API.

import type { RemoteState } from '../../../plugboard/admin/bodies/cluster-status.ts'

export const SAMPLE_STATE: RemoteState = {
  id: 'r1',
  version: '0.2.0',
  startedAt: '2026-11-20T12:00:00.000Z',
  phase: 'ready',
  appliedSequence: 7,
  isDatabaseReachable: true,
  isMemoryShort: false,
  tunnels: 2,
  streams: 1,
  newerMigrations: [],
  process: { memoryBytes: 90e6, memoryLimitBytes: 2e9, cpuPercent: 3.5, eventLoopDelayMs: 1.2 },
  links: [],
  wallTime: 0,
  settings: { acmeHosts: 'aa', trustedProxies: 'bb' },
  certificates: [],
}
