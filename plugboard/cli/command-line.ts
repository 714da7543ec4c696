// The command line. The module of a command is loaded when the command is called, so `plugboard route list` does not wait for the
// libraries of `plugboard start`. Each module defines the options, the help and the action of its command.

import { Command, CommanderError } from 'commander'
import { VERSION } from '../version.ts'
import type { CliContext } from './api/api-command.ts'
import { addAliases, termWithoutAliases } from './command-aliases.ts'

interface CommandEntry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<(command: Command, context: CliContext) => void>
}

const RUN: readonly CommandEntry[] = [
  {
    name: 'dev',
    summary: 'run a complete Plugboard on this machine, with a database and a Telephone',
    load: async () => (await import('./commands/dev.ts')).defineDev,
  },
  {
    name: 'start',
    summary: 'run a Plugboard replica',
    load: async () => (await import('./commands/start.ts')).defineStart,
  },
  {
    name: 'migrate',
    summary: 'migrate the schema of the database',
    load: async () => (await import('./commands/migrate.ts')).defineMigrate,
  },
]

const MANAGE: readonly CommandEntry[] = [
  {
    name: 'route',
    summary: 'manage routes: each leads from a host and a path to a service',
    load: async () => (await import('./commands/route/route.ts')).defineRoute,
  },
  {
    name: 'service',
    summary: 'manage services: groups of backends with one policy',
    load: async () => (await import('./commands/service.ts')).defineService,
  },
  {
    name: 'token',
    summary: 'manage tokens: the credentials of telephones',
    load: async () => (await import('./commands/token.ts')).defineToken,
  },
  {
    name: 'key',
    summary: 'manage API keys: the credentials of people and programs',
    load: async () => (await import('./commands/key/key.ts')).defineKey,
  },
  {
    name: 'signing-key',
    summary: 'manage the keys that sign tokens',
    load: async () => (await import('./commands/key/key.ts')).defineSigningKey,
  },
  {
    name: 'change',
    summary: 'list the changes of services, routes and keys, follow them, and undo them',
    load: async () => (await import('./commands/change/change.ts')).defineChange,
  },
  {
    name: 'export',
    summary: 'write services and routes to a file',
    load: async () => (await import('./bundle/import-export.ts')).defineExport,
  },
  {
    name: 'import',
    summary: 'change services and routes to the state of a file',
    load: async () => (await import('./bundle/import-export.ts')).defineImport,
  },
  {
    name: 'diff',
    summary: 'print the changes that an import of a file would make',
    load: async () => (await import('./bundle/import-export.ts')).defineDiff,
  },
  {
    name: 'edit',
    summary: 'edit services and routes as YAML in your editor',
    load: async () => (await import('./bundle/edit.ts')).defineEdit,
  },
]

const INSPECT: readonly CommandEntry[] = [
  {
    name: 'status',
    summary: 'show the state of the cluster: services without a telephone, counters, database',
    load: async () => (await import('./commands/status/status.ts')).defineStatus,
  },
  {
    name: 'dashboard',
    summary: 'print a one-time link to the dashboard',
    load: async () => (await import('./commands/dashboard.ts')).defineDashboard,
  },
  {
    name: 'doctor',
    summary: 'check Plugboard, its database and its machine, and print what to do',
    load: async () => (await import('./commands/doctor/doctor.ts')).defineDoctor,
  },
  {
    name: 'limit',
    summary: 'list the rate limits with their decisions and their fullest keys',
    load: async () => (await import('./commands/limit/limit.ts')).defineLimit,
  },
  {
    name: 'process',
    summary: 'drain or eject one telephone process of a service, or set its weight',
    load: async () => (await import('./commands/process/process.ts')).defineProcess,
  },
  {
    name: 'telephone',
    summary: 'list the connected telephones',
    load: async () => (await import('./commands/telephone.ts')).defineTelephone,
  },
  {
    name: 'replica',
    summary: 'list the replicas of a cluster, and count their lines',
    load: async () => (await import('./commands/status/status.ts')).defineReplica,
  },
  {
    name: 'logs',
    summary: 'show the last failed or slow requests; --follow shows all requests as they end',
    load: async () => (await import('./commands/request/logs.ts')).defineLogs,
  },
  {
    name: 'explain',
    summary: 'explain why a request failed, from the id on its error page',
    load: async () => (await import('./commands/request/explain.ts')).defineExplain,
  },
  {
    name: 'inspect',
    summary: 'list captured requests with their responses; --follow shows new ones as they arrive',
    load: async () => (await import('./commands/exchange/inspect.ts')).defineInspect,
  },
  {
    name: 'exchange',
    summary: 'show a captured request with its response, export it, or send it again',
    load: async () => (await import('./commands/exchange/exchange.ts')).defineExchange,
  },
]

/** Former names of commands, which still work. Help does not list them. */
const FORMER: readonly CommandEntry[] = [
  {
    name: 'changes',
    summary: 'list changes; the new name is `change list`',
    load: async () => (await import('./commands/change/change-list.ts')).defineChangeList,
  },
]

const GROUPS: readonly {
  readonly group: string
  readonly entries: readonly CommandEntry[]
  readonly hidden?: boolean
}[] = [
  { group: 'Run:', entries: RUN },
  { group: 'Manage:', entries: MANAGE },
  { group: 'Inspect:', entries: INSPECT },
  { group: 'Former names:', entries: FORMER, hidden: true },
]

/** Runs one command line (without the program's name) and returns the exit code: 1 failure, 2 wrong usage. */
export async function runCommandLine(args: readonly string[], context: CliContext): Promise<number> {
  const { terminal } = context
  const program = new Command('plugboard')
    .description('Reverse proxy with its routes in a database. Backends connect to it through tunnels.')
    .version(VERSION, '-V, --version')
    // An option of the program: commander accepts it before and after each subcommand.
    .option('--json', 'write JSON for programs: tables as JSON, logs as JSON lines')
    .configureHelp({ showGlobalOptions: true, subcommandTerm: termWithoutAliases })
    .exitOverride()
    .configureOutput({
      writeOut: text => terminal.out(text),
      writeErr: text => terminal.err(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'plugboard: ')),
    })
    .showSuggestionAfterError(true)
    .showHelpAfterError('(--help shows the commands and options)')
    .addHelpText('after', '\nFirst steps:\n  $ plugboard dev\n  $ plugboard dev --expose 3000')

  const [first, second] = args.filter(arg => !arg.startsWith('-'))
  const called = first === 'help' ? second : first
  for (const { group, entries, hidden = false } of GROUPS) {
    for (const { name, summary, load } of entries) {
      const command = program.command(name, { hidden }).description(summary).helpGroup(group)
      if (name !== called) continue
      const define = await load()
      define(command, context)
      addAliases(command)
    }
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    return explain(error, context)
  }
}

/** Writes the failure in one line, and a stack only for an unexpected error. */
function explain(error: unknown, { terminal, env }: CliContext): number {
  if (error instanceof Error && error.name === 'ExitStatus')
    return (error as { exitCode?: number }).exitCode ?? 1
  const expected = error instanceof Error && EXPECTED.has(error.name)
  const message = error instanceof Error ? error.message : String(error)
  terminal.err(`plugboard: ${message}\n`)
  if (error instanceof Error && (!expected || env.PLUGBOARD_DEBUG)) terminal.err(`${error.stack}\n`)
  const usage =
    error instanceof Error &&
    ((error as { exitCode?: unknown }).exitCode === 2 || error.name === 'SettingsError')
  return usage ? 2 : 1
}

/** The names of expected errors. An import of the classes would load the dependencies of their modules. */
const EXPECTED: ReadonlySet<string> = new Set([
  'ApiError',
  'CliError',
  'SettingsError',
  'StartupError',
  'TunnelError',
  'VeraError',
])
