// The common part of all commands that use the admin API: their options, their client, their output.

import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { usageError } from '../cli-error.ts'
import { Output, type OutputFormat, type OutputTerminal } from '../output/output.ts'
import { ApiClient } from './api-client.ts'
import { findApiKey, type KeyOptions } from './api-key-source.ts'
import { fieldName } from './field-names.ts'

/** The parts of the process that commands use. A test provides its own. */
export interface CliContext {
  readonly terminal: OutputTerminal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Aborted at Ctrl-C and when the reader of stdout has closed it. After this call, Ctrl-C alone does not end the process. */
  readonly interrupted: () => AbortSignal
}

export interface ApiCommand<Options> {
  readonly api: ApiClient
  readonly output: Output
  readonly options: Options
  readonly context: CliContext
}

interface CommonOptions extends KeyOptions {
  readonly url?: string
  readonly output?: OutputFormat
  readonly json?: boolean
}

/** For `apiAction`: a command whose writes can be checked only. */
export const WITH_DRY_RUN = { dryRun: true } as const

const DEFAULT_URL = 'http://127.0.0.1:4001'
const FORMATS = ['table', 'json', 'yaml'] as const

/**
 * Adds the common options to a command, and `run` as its action. `Args`: its positional arguments. `WITH_DRY_RUN` adds the option
 * `--dry-run`, with which the server only checks the writes of the command.
 */
export function apiAction<Options, Args extends readonly unknown[]>(
  command: Command,
  context: CliContext,
  run: (call: ApiCommand<Options>, ...args: Args) => Promise<void>,
  { dryRun: checksOnly = false }: { readonly dryRun?: boolean } = {},
): void {
  if (checksOnly) {
    command.option('--dry-run', 'only check the change, with conflicts in the database; make no change')
  }
  const group = 'Connection:'
  command
    .addOption(
      new Option('--url <url>', `address of the admin API (default ${DEFAULT_URL}; PLUGBOARD_URL)`).helpGroup(
        group,
      ),
    )
    .addOption(
      new Option(
        '--api-key <key>',
        'API key; other users of the machine can read it, so prefer --api-key-file',
      ).helpGroup(group),
    )
    .addOption(
      new Option(
        '--api-key-file <path>',
        'file with the API key (PLUGBOARD_API_KEY or PLUGBOARD_API_KEY_FILE)',
      ).helpGroup(group),
    )
    .addOption(
      new Option(
        '--data <folder>',
        'data folder of a Plugboard on this machine, which has its API key (default ./data; PLUGBOARD_DATA)',
      ).helpGroup(group),
    )
    .addOption(
      new Option('-o, --output <format>', 'format of the output (default table; PLUGBOARD_OUTPUT)')
        .choices(FORMATS)
        .helpGroup(group),
    )
    .action(async (...all: unknown[]) => {
      // commander passes the positional arguments, then the options, then the command.
      const self = all.at(-1) as Command
      const options = self.optsWithGlobals<Options & CommonOptions & { readonly dryRun?: boolean }>()
      const dryRun = checksOnly && options.dryRun === true
      const url = options.url ?? (context.env.PLUGBOARD_URL || DEFAULT_URL)
      if (!/^https?:\/\//.test(url) || !URL.canParse(url))
        throw usageError(`--url: "${url}" is not an http URL. Write it as ${DEFAULT_URL}`)
      let key: string | undefined
      const warn = (text: string) => context.terminal.err(`note: ${text}\n`)
      const findKey = () => (key ??= findApiKey(url, options, context.env, context.cwd, warn))
      const api = new ApiClient(url, findKey, culprit => fieldName(self, culprit), dryRun)
      const output = new Output(context.terminal, formatOf(options, context.env.PLUGBOARD_OUTPUT), dryRun)
      await run({ api, output, options, context }, ...(all.slice(0, -2) as unknown as Args))
    })
}

function formatOf({ output, json }: CommonOptions, variable: string | undefined): OutputFormat {
  if (json && output !== undefined && output !== 'json') {
    throw usageError(`--json and --output ${output} contradict each other; give one of them`)
  }
  const flag = json ? 'json' : output
  if (flag !== undefined || !variable) return flag ?? 'table'
  const found = FORMATS.find(format => format === variable)
  if (found === undefined)
    throw usageError(`PLUGBOARD_OUTPUT: "${variable}" is unknown; use ${FORMATS.join(', ')}`)
  return found
}

/** Parses an option that may be given several times, or once with commas. */
export const collect = (value: string, previous: readonly string[] | undefined): readonly string[] => [
  ...(previous ?? []),
  ...value
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== ''),
]

/** Returns an id, name or mount as one segment of a path. */
export const segment = (text: string): string => encodeURIComponent(text)

export const inFolder = (context: CliContext, path: string): string => resolve(context.cwd, path)

/** Adds examples to the end of the help of a command. */
export function examples(command: Command, ...lines: readonly string[]): void {
  command.addHelpText('after', `\nExamples:\n${lines.map(line => `  $ plugboard ${line}`).join('\n')}`)
}
