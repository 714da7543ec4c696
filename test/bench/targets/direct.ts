// No proxy at all: what client and backend can do by themselves.

import type { StartTarget } from '../target.ts'

export const startDirect: StartTarget = async ({ backendPort }) => ({
  port: backendPort,
  host: `127.0.0.1:${backendPort}`,
  roles: {},
})
