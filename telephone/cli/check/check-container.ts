// `telephone check --container`: the health check of the image. It asks only the Telephone in the same container, and uses no
// Plugboard, no backend and no settings. A Telephone that responds is healthy, also without a tunnel, because an outage of
// Plugboard must not mark the applications beside it as unhealthy (decision 0011).

import {
  askLocalStatus,
  type ProcessStatus,
  SCOPE_VARIABLE,
} from '@vera-stack/shared/process/local-status.ts'
import type { Terminal } from '../output/terminal.ts'
import { marked } from '../output/words.ts'

/** Time for a response, ms. It is shorter than the timeout of a health check, which includes the start of this program. */
const TIMEOUT_MS = 2000

/** Resolves with true when at least one Telephone runs in this container and each one responds. */
export async function checkContainer(
  terminal: Terminal,
  env: Readonly<Record<string, string | undefined>>,
  json: boolean,
): Promise<boolean> {
  const findings = await findingsOf(env)
  const ok = findings.every(finding => finding.ok)
  if (json) terminal.out(`${JSON.stringify({ ok, findings }, null, 2)}\n`)
  else {
    for (const { ok: good, text } of findings) {
      terminal.out(`${marked(good ? 'good' : 'bad', text, terminal.colours)}\n`)
    }
  }
  return ok
}

interface ContainerFinding {
  readonly ok: boolean
  readonly text: string
}

async function findingsOf(env: Readonly<Record<string, string | undefined>>): Promise<ContainerFinding[]> {
  try {
    const scope = env[SCOPE_VARIABLE]
    const found = await askLocalStatus({ program: 'telephone', scope, timeoutMs: TIMEOUT_MS })
    if (found.length > 0) return found.map(finding)
    return [{ ok: false, text: 'No Telephone runs in this container.' }]
  } catch (error) {
    return [{ ok: false, text: error instanceof Error ? error.message : String(error) }]
  }
}

function finding(found: ProcessStatus): ContainerFinding {
  const name = `telephone, process ${found.pid}`
  return found.kind === 'fails'
    ? { ok: false, text: `${name}: ${found.problem}` }
    : { ok: true, text: `${name}: ${found.status.state}, ${found.status.detail}` }
}
