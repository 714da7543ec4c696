// The target without a proxy: the speed of client and backend alone.

import type { StartTarget } from '../target.ts'

export const startDirect: StartTarget = async ({ backendPort }) => ({
  port: backendPort,
  host: `127.0.0.1:${backendPort}`,
  roles: {},
})
