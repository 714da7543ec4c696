// Other names of subcommands, for users who are used to the words of other tools. Help does not list them.

import { type Command, Help } from 'commander'

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
}

const help = new Help()

/** The term of a subcommand in help: its name and arguments. */
export function termWithoutAliases(subcommand: Command): string {
  return help.subcommandTerm(subcommand).replace(`|${subcommand.alias()}`, '')
}
