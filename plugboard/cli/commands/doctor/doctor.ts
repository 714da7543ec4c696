// `plugboard doctor`: prints the checks of a Plugboard, sorted by harm. A running Plugboard checks itself (`GET /v1/doctor`). While
// it is stopped, the command checks this machine: settings, data folder, database and ports. `--container` is the health check of the
// image.

import type { Command } from 'commander'
import type { CheckBody, DoctorBody } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { CliError } from '../../cli-error.ts'
import { type Column, Output } from '../../output/output.ts'
import { containerChecks } from './container-checks.ts'
import { doctorText } from './doctor-text.ts'

interface DoctorOptions {
  readonly container?: boolean
  readonly url?: string
  readonly data?: string
  readonly config?: string
  readonly databaseUrl?: string
}

/** Longer than the time limit of one check. */
const TIMEOUT_MS = 20_000
const LIVE_TIMEOUT_MS = 3_000

const COLUMNS: readonly Column<CheckBody>[] = [
  { title: 'check', value: row => row.id },
  { title: 'state', value: row => row.state },
  { title: 'finding', value: row => row.detail },
  { title: 'what to do', value: row => row.remedy },
]

export function defineDoctor(command: Command, context: CliContext): void {
  command
    .option(
      '--container',
      'ask the Plugboard in this container only; exit code 0 when it is ready, otherwise 1',
    )
    .option('-c, --config <path>', 'YAML file with settings, for the checks of a stopped Plugboard')
    .option(
      '--database-url <url>',
      'the database of a stopped Plugboard (PLUGBOARD_DATABASE_URL or _FILE, or DATABASE_URL)',
    )
  apiAction(command, context, async (call: ApiCommand<DoctorOptions>) => {
    const { output, options } = call
    if (options.container === true) {
      const checks = await containerChecks(context)
      await new Output(context.terminal, output.format).rows(checks, COLUMNS, '')
      return failWhenFailed(checks)
    }
    const report = await reportOf(call)
    await output.done(report, doctorText(report, context.terminal.colours))
    failWhenFailed(report.items)
  })
  examples(command, 'doctor', 'doctor --json > report.json', 'doctor --container')
}

function failWhenFailed(checks: readonly CheckBody[]): void {
  const failed = checks.filter(({ state }) => state === 'failed')
  if (failed.length > 0) throw new CliError(`${failed.length} of ${checks.length} checks failed.`)
}

async function reportOf({ api, options, context }: ApiCommand<DoctorOptions>): Promise<DoctorBody> {
  try {
    const { body } = await api.request<DoctorBody>('GET', '/v1/doctor', { timeoutMs: TIMEOUT_MS })
    return body
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    const { url = context.env.PLUGBOARD_URL || 'http://127.0.0.1:4001' } = options
    const { runLocalDoctor } = await import('../../../replica/doctor/local-doctor.ts')
    const { data, config, databaseUrl } = options
    return await runLocalDoctor({
      flags: { data, config, databaseUrl },
      env: context.env,
      cwd: context.cwd,
      url,
      problem: error.message,
      ...(await livenessOf(url)),
    })
  }
}

/** Finds out whether a Plugboard responds, without a key. `problem`: the reason when no server responds. */
async function livenessOf(url: string): Promise<{ readonly responds: boolean; readonly problem?: string }> {
  try {
    const signal = AbortSignal.timeout(LIVE_TIMEOUT_MS)
    const response = await fetch(new URL('/livez', url), { redirect: 'error', signal })
    const { status } = (await response.json()) as { status?: unknown }
    if (status === 'live') return { responds: true }
    return { responds: false, problem: 'another server responds there' }
  } catch (error) {
    const { cause } = error as { cause?: unknown }
    const code = (cause as NodeJS.ErrnoException | undefined)?.code
    return { responds: false, problem: code ?? (error as Error).message }
  }
}
