// Starts the backend of a scenario: nginx for small requests when it is installed, else our own.

import { join } from 'node:path'
import type { Processes } from '../../support/process/processes.ts'
import { nginxProgram, startNginx } from '../nginx.ts'
import type { PathScenarioName } from '../options.ts'

/** Resolves with the port of the backend. */
export async function startBackend(
  scenario: PathScenarioName,
  processes: Processes,
  folder: string,
): Promise<number> {
  if ((scenario === 'small' || scenario === 'front') && nginxProgram()) {
    const body = `${'vera-stack '.repeat(9)}\\n`
    const locations = `location / { default_type text/plain; return 200 "${body}"; }`
    return (await startNginx(processes, folder, 'nginx-backend', { locations })).port
  }
  const backend = processes.node('backend', [join(import.meta.dirname, 'bulk-backend.ts')])
  const [, port] = await backend.waitForLine(/^listening on (\d+)$/)
  return Number(port)
}
