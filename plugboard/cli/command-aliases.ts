// Aliases of subcommands, for users who are familiar with the names of other tools. Help does not list them.

import { ownCommand, shellQuoted } from '@vera-stack/shared/process/own-command.ts'
import { type Command, Help } from 'commander'
import { usageError } from './cli-error.ts'

const ALIASES: Readonly<Record<string, readonly string[]>> = {
  add: ['create'],
  create: ['add'],
  issue: ['create', 'add'],
  list: ['ls'],
  revoke: ['rm', 'remove', 'delete'],
  rm: ['remove', 'delete'],
  set: ['update', 'edit'],
  show: ['get'],
}

/** Gives each subcommand of `command` the aliases of its name. */
export function addAliases(command: Command): void {
  for (const subcommand of command.commands) subcommand.aliases(ALIASES[subcommand.name()] ?? [])
  addHints(command)
}

/** Commands of other tools, each with the command to use here. Without a hint, `rename` would suggest `remove`. */
const HINTS: Readonly<Record<string, (before: string, after: string) => string>> = {
  service: (before, after) => `service set ${before} --name ${after}`,
  route: (before, after) => `route set ${before} --mount ${after}`,
}
const RENAMING = ['rename', 'move', 'mv']

function addHints(command: Command): void {
  const hint = HINTS[command.name()]
  if (hint === undefined) return
  for (const name of RENAMING) {
    command
      .command(name, { hidden: true })
      .argument('[words...]')
      .allowUnknownOption()
      .action((words: readonly string[]) => {
        const [before = 'OLD', after = 'NEW'] = words.map(shellQuoted)
        const instead = `${ownCommand('plugboard')} ${hint(before, after)}`
        throw usageError(`there is no command "${command.name()} ${name}". Use: ${instead}`)
      })
  }
}

const help = new Help()

/** The term of a subcommand in help: its name and arguments. */
export function termWithoutAliases(subcommand: Command): string {
  return help.subcommandTerm(subcommand).replace(`|${subcommand.alias()}`, '')
}
