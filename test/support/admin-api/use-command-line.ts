// The command line against a real admin API, for test files: one database for the file, one API and one listener for each test.
// Call it at the top level of a file.

import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, expect } from 'vitest'
import { type AdminServer, startAdminServer } from '../../../plugboard/admin/admin-server.ts'
import { runCommandLine } from '../../../plugboard/cli/command-line.ts'
import type { TestDatabase } from '../postgres/postgres.ts'
import type { AdminApiHarness } from './admin-api.ts'
import { useAdminApi } from './use-admin-api.ts'

interface CommandRun {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface RunOptions {
  /** Called with the whole output so far. */
  readonly onOut?: (text: string) => void
  /** Called with all text of stderr so far. */
  readonly onErr?: (text: string) => void
  readonly interrupted?: AbortSignal
  readonly url?: string
}

export interface TestCommandLine {
  readonly api: () => AdminApiHarness
  readonly database: () => TestDatabase
  /** The URL of the listener. */
  readonly url: () => string
  /** Runs a command. The words of the line are its arguments. */
  readonly run: (line: string, options?: RunOptions) => Promise<CommandRun>
  /** Runs a command that must succeed. Resolves with its output. */
  readonly ok: (line: string) => Promise<string>
}

export function useCommandLine(): TestCommandLine {
  let api: AdminApiHarness
  let server: AdminServer
  const database = useAdminApi(created => {
    api = created
  })
  beforeEach(async () => {
    const listen = { host: '127.0.0.1', port: 0 }
    server = await startAdminServer({ app: api.app, listen, log: silentLogger })
  })
  afterEach(() => server.stop(1000))
  const url = () => `http://127.0.0.1:${server.address.port}`

  const run = async (line: string, options: RunOptions = {}): Promise<CommandRun> => {
    let [out, err] = ['', '']
    const code = await runCommandLine(line.split(' '), {
      terminal: {
        out: text => {
          out += text
          options.onOut?.(out)
        },
        err: text => {
          err += text
          options.onErr?.(err)
        },
        colours: false,
      },
      env: { PLUGBOARD_URL: options.url ?? url(), PLUGBOARD_API_KEY: api.adminKey },
      cwd: '/',
      now: Date.now,
      interrupted: () => options.interrupted ?? new AbortController().signal,
    })
    return { code, out, err }
  }
  const ok = async (line: string): Promise<string> => {
    const { code, out, err } = await run(line)
    expect({ line, code, err: code === 0 ? '' : err }).toEqual({ line, code: 0, err: '' })
    return out
  }
  return { api: () => api, database, url, run, ok }
}
