#!/usr/bin/env node

// The entry point of the program `telephone`: its command line. The commands are in cli/, the settings in config.ts.

import { openStandardOutput } from '@vera-stack/shared/process/standard-output.ts'
import { addOptions, SettingsError } from '@vera-stack/shared/settings.ts'
import { coloursWanted } from '@vera-stack/shared/text/colours.ts'
import { Command, CommanderError } from 'commander'
import { check } from './cli/check/check.ts'
import { checkContainer } from './cli/check/check-container.ts'
import type { Terminal } from './cli/output/terminal.ts'
import { run } from './cli/run.ts'
import { loadTelephoneConfig, telephoneOptions, telephoneSettings, VARIABLE_PREFIX } from './config.ts'
import { VERSION } from './version.ts'

type Flags = Readonly<Record<string, unknown>>

// A reader that closes the pipe (`telephone … | head`) ends the output. The tunnels stay open.
const { out, err } = openStandardOutput('telephone')
const terminal: Terminal = {
  out,
  err,
  colours: coloursWanted(process.env, process.stdout.isTTY === true),
  isTerminal: process.stdout.isTTY === true,
}

function commandLine(finish: (code: number) => void): Command {
  const program = new Command('telephone')
    .description('Exposes a web server through a Plugboard, over a tunnel that it opens itself.')
    .version(VERSION, '-V, --version')
    // An option of the program: commander accepts it before and after each subcommand.
    .option('--json', 'write JSON for programs: the result of check, or the log as JSON lines')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      outputError: (text, write) => write(text.replace(/^error: /, 'telephone: ')),
    })
    .showSuggestionAfterError(true)
    .showHelpAfterError('(--help shows the commands and options)')

  const jsonWanted = (): boolean => program.opts<{ json?: boolean }>().json === true
  const logFlags = (): Flags => (jsonWanted() ? { logFormat: 'json' } : {})
  const { target: _target, services: _services, ...withoutTarget } = telephoneSettings
  const http = program
    .command('http <target>')
    .description('expose one web server: a port, host:port, http(s)://host:port or unix:/path.sock')
    .action(async (target: string, flags: Flags) => {
      const config = loadTelephoneConfig({ flags: { ...flags, ...logFlags(), target }, personal: true })
      finish(await run({ config, terminal, personal: true }))
    })
  addOptions(http, withoutTarget, VARIABLE_PREFIX)
  examples(
    http,
    'http 3000',
    'http 3000 --mount app.localhost --token-file telephone.jwt',
    'http https://192.168.1.7:8443 --service web --plugboard https://proxy.example.com',
    'http unix:/run/app.sock --mount shop.example.com/api --host-header backend',
  )

  const start = program
    .command('start')
    .description('serve the services of the settings, as a system service or in a container')
    .action(async (flags: Flags) => {
      const config = loadTelephoneConfig({ flags: { ...flags, ...logFlags() } })
      finish(await run({ config, terminal, personal: false }))
    })
  addOptions(start, telephoneSettings, VARIABLE_PREFIX)
  examples(
    start,
    'start --config telephone.yaml',
    'start   # with TELEPHONE_PLUGBOARD, TELEPHONE_TOKEN, TELEPHONE_TARGET and TELEPHONE_MOUNT set',
  )

  const checking = program
    .command('check [target]')
    .description('check settings, token, Plugboard and backend, and report problems; changes nothing')
    .option('--container', 'ask the Telephone in this container only; exit code 0 when it runs, otherwise 1')
    .action(async (target: string | undefined, { container, ...flags }: Flags) => {
      if (container === true) {
        finish((await checkContainer(terminal, process.env, jsonWanted())) ? 0 : 1)
        return
      }
      const withTarget = target === undefined ? flags : { ...flags, target }
      const config = loadTelephoneConfig({ flags: withTarget, personal: true })
      finish((await check(telephoneOptions(config), terminal, config.warnings, jsonWanted())) ? 0 : 1)
    })
  addOptions(checking, withoutTarget, VARIABLE_PREFIX)
  examples(
    checking,
    'check 3000 --mount app.localhost --token-file telephone.jwt',
    'check --config telephone.yaml',
    'check --container   # the health check of the image',
  )
  return program
}

function examples(command: Command, ...lines: readonly string[]): void {
  command.addHelpText('after', `\nExamples:\n${lines.map(line => `  $ telephone ${line}`).join('\n')}`)
}

/** Returns 0; 1 after a failure; 2 after wrong usage. Writes one line per problem, and a stack only for an unexpected error. */
async function main(): Promise<number> {
  let code = 0
  try {
    await commandLine(result => {
      code = result
    }).parseAsync(process.argv)
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const usage = error instanceof SettingsError
    const text = usage ? error.message : error instanceof Error ? error.stack : String(error)
    terminal.err(`telephone: ${text}\n`)
    return usage ? 2 : 1
  }
}

// An error of stdout may already have set the exit code.
const exitCode = await main()
if (exitCode !== 0) process.exitCode = exitCode
