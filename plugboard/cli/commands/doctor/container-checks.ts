// The check of `plugboard doctor --container`, the health check of the image. It asks the Plugboard in the same container over its
// local socket (shared/process/local-status.ts). So it depends on no port, host name, key or setting.

import {
  askLocalStatus,
  type ProcessStatus,
  SCOPE_VARIABLE,
} from '@vera-stack/shared/process/local-status.ts'
import type { CheckBody } from '../../../admin/api-types.ts'
import type { CliContext } from '../../api/api-command.ts'

/** Time for a response, ms. It is shorter than the timeout of a health check, which includes the start of this program. */
const TIMEOUT_MS = 2000

export async function containerChecks({ env }: CliContext): Promise<CheckBody[]> {
  const scope = env[SCOPE_VARIABLE]
  const found = await askLocalStatus({ program: 'plugboard', scope, timeoutMs: TIMEOUT_MS }).catch(
    (error: unknown): string => (error instanceof Error ? error.message : String(error)),
  )
  if (typeof found === 'string') return [failure(found, 'Use /readyz of the admin port instead.')]
  if (found.length > 0) return found.map(checkOf)
  return [failure('No Plugboard runs in this container.', 'Read the log of the container.')]
}

function checkOf(found: ProcessStatus): CheckBody {
  const name = `Plugboard, process ${found.pid}`
  if (found.kind === 'fails') return failure(`${name}: ${found.problem}`, 'Read its log.')
  const { state, detail } = found.status
  if (state === 'ready')
    return { id: 'process.running', state: 'ok', detail: `${name}: ${detail}`, remedy: null }
  return failure(`${name}: ${detail}`, 'Wait. If this state stays, read its log.')
}

function failure(detail: string, remedy: string): CheckBody {
  return { id: 'process.running', state: 'failed', detail, remedy }
}
