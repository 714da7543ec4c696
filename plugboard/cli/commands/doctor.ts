// `plugboard doctor --container`: the health check of the image. It asks the Plugboard in the same container over its local socket
// (shared/process/local-status.ts). So it depends on no port, host name, key or setting. Further checks become rows of the same
// list.

import {
  askLocalStatus,
  type ProcessStatus,
  SCOPE_VARIABLE,
} from '@vera-stack/shared/process/local-status.ts'
import type { Command } from 'commander'
import { type CliContext, examples } from '../api/api-command.ts'
import { CliError, usageError } from '../cli-error.ts'
import { type Column, Output } from '../output/output.ts'

interface Check {
  readonly id: string
  readonly state: 'ok' | 'failed'
  readonly says: string
  /** The remedy; empty after a successful check. */
  readonly do: string
}

/** Time for a response, ms. It is shorter than the timeout of a health check, which includes the start of this program. */
const TIMEOUT_MS = 2000

const COLUMNS: readonly Column<Check>[] = [
  { title: 'check', value: row => row.id },
  { title: 'state', value: row => row.state },
  { title: 'finding', value: row => row.says },
  { title: 'what to do', value: row => row.do },
]

export function defineDoctor(command: Command, context: CliContext): void {
  command.option(
    '--container',
    'ask the Plugboard in this container only; exit code 0 when it is ready, otherwise 1',
  )
  command.action(async ({ container = false }: { container?: boolean }, self: Command) => {
    if (!container) {
      throw usageError(
        'doctor checks only a container: add --container. For a cluster, use "plugboard status".',
      )
    }
    const { json = false } = self.optsWithGlobals<{ json?: boolean }>()
    const checks = await checksOf(context)
    await new Output(context.terminal, json ? 'json' : 'table').rows(checks, COLUMNS, '')
    const failed = checks.filter(({ state }) => state === 'failed')
    if (failed.length > 0) throw new CliError(`${failed.length} of ${checks.length} checks failed.`)
  })
  examples(command, 'doctor --container', 'doctor --container --json')
}

async function checksOf({ env }: CliContext): Promise<Check[]> {
  const scope = env[SCOPE_VARIABLE]
  const found = await askLocalStatus({ program: 'plugboard', scope, timeoutMs: TIMEOUT_MS }).catch(
    (error: unknown): string => (error instanceof Error ? error.message : String(error)),
  )
  if (typeof found === 'string') return [failure(found, 'Use /readyz of the admin port instead.')]
  if (found.length > 0) return found.map(checkOf)
  return [failure('No Plugboard runs in this container.', 'Read the log of the container.')]
}

function checkOf(found: ProcessStatus): Check {
  const name = `Plugboard, process ${found.pid}`
  if (found.kind === 'fails') return failure(`${name}: ${found.problem}`, 'Read its log.')
  const { state, detail } = found.status
  if (state === 'ready') return { id: 'process', state: 'ok', says: `${name}: ${detail}`, do: '' }
  return failure(`${name}: ${detail}`, 'Wait. If this state stays, read its log.')
}

function failure(says: string, what: string): Check {
  return { id: 'process', state: 'failed', says, do: what }
}
