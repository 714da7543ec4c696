// The command line. Each command's module is loaded when that command is called: `plugboard route list` must not
// wait for the libraries of `plugboard start`. A module fills in the options, the help and the action.

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
    summary: 'run everything on this machine, with a database and a Telephone of its own',
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
    summary: 'routes: host and path → service',
    load: async () => (await import('./commands/route.ts')).defineRoute,
  },
  {
    name: 'service',
    summary: 'services: pools of backends and their policy',
    load: async () => (await import('./commands/service.ts')).defineService,
  },
  {
    name: 'token',
    summary: 'tokens: credentials of telephones',
    load: async () => (await import('./commands/token.ts')).defineToken,
  },
  {
    name: 'key',
    summary: 'API keys: credentials of people and programs',
    load: async () => (await import('./commands/key.ts')).defineKey,
  },
  {
    name: 'signing-key',
    summary: 'signing keys of tokens',
    load: async () => (await import('./commands/key.ts')).defineSigningKey,
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
]

const LOOK: readonly CommandEntry[] = [
  {
    name: 'status',
    summary: 'state of the cluster: services without a telephone, counters, database',
    load: async () => (await import('./commands/status.ts')).defineStatus,
  },
  {
    name: 'doctor',
    summary: 'check the Plugboard in this container',
    load: async () => (await import('./commands/doctor.ts')).defineDoctor,
  },
  {
    name: 'telephone',
    summary: 'connected telephones',
    load: async () => (await import('./commands/telephone.ts')).defineTelephone,
  },
  {
    name: 'replica',
    summary: 'the replicas of a cluster, and lines by replica',
    load: async () => (await import('./commands/status.ts')).defineReplica,
  },
  {
    name: 'changes',
    summary: 'the change log; --follow shows new entries as they arrive',
    load: async () => (await import('./commands/changes.ts')).defineChanges,
  },
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
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', '\nTo begin:\n  $ plugboard dev\n  $ plugboard dev --expose 3000')

  const [first, second] = args.filter(arg => !arg.startsWith('-'))
  const called = first === 'help' ? second : first
  for (const [group, entries] of [
    ['Run:', RUN],
    ['Manage:', MANAGE],
    ['Look:', LOOK],
  ] as const) {
    for (const { name, summary, load } of entries) {
      const command = program.command(name).description(summary).helpGroup(group)
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

/** A failure in one line; a stack only for what nobody foresaw. */
function explain(error: unknown, { terminal, env }: CliContext): number {
  const expected = error instanceof Error && FORESEEN.has(error.name)
  const message = error instanceof Error ? error.message : String(error)
  terminal.err(`plugboard: ${message}\n`)
  if (error instanceof Error && (!expected || env.PLUGBOARD_DEBUG)) terminal.err(`${error.stack}\n`)
  const usage =
    error instanceof Error &&
    ((error as { exitCode?: unknown }).exitCode === 2 || error.name === 'SettingsError')
  return usage ? 2 : 1
}

/** By name: importing the classes would load what their modules need. */
const FORESEEN: ReadonlySet<string> = new Set([
  'ApiError',
  'CliError',
  'SettingsError',
  'StartupError',
  'TunnelError',
  'VeraError',
])
