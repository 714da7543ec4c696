// Installs a package from the registry into a temporary folder, for a test that alone uses it. A machine without a registry
// skips such a test, with the reason.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const FLAGS = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--fetch-retries=1']
const TIMEOUT_MS = 100_000

/** Installs `name@version` into the folder. Returns undefined, or the reason why the package could not be installed. */
export async function installPackage(folder: string, spec: string): Promise<string | undefined> {
  try {
    await promisify(execFile)('npm', ['install', '--prefix', folder, ...FLAGS, spec], { timeout: TIMEOUT_MS })
    return undefined
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string }
    const reason = /npm error (?:code )?([^\n]+)/.exec(stderr)?.[1] ?? String(code)
    return `${spec} could not be installed (${reason}): no registry is reachable`
  }
}
