// The command line that starts a Telephone with a new token. The token is in a variable, because other users of a machine can
// see the arguments of a process. `npx` gets the name with our scope: the bare name belongs to a package of another publisher.

import { ownCommand, shellQuoted } from '@vera-stack/shared/process/own-command.ts'
import { placeOf } from '../common/tokens/token-place.ts'
import { telephoneProgram } from '../dev/telephone-child.ts'

export interface CommandToken {
  readonly token: string
  readonly services: readonly string[]
  readonly mounts: readonly string[]
  readonly plugboardUrl: string
}

/** The default of `--plugboard` in `telephone http`. */
const DEFAULT_PLUGBOARD = 'http://localhost:4000'

/** Returns the command. `target`: a port, or another target of `telephone http`. */
export async function telephoneCommand(issued: CommandToken, target: string): Promise<string> {
  const { token, plugboardUrl } = issued
  const place = placeFlags(issued)
  return [
    `TELEPHONE_TOKEN=${shellQuoted(token)}`,
    isLoopback(plugboardUrl) ? await localTelephone() : 'npx @vera-stack/telephone',
    'http',
    shellQuoted(target),
    ...(plugboardUrl === DEFAULT_PLUGBOARD ? [] : ['--plugboard', shellQuoted(plugboardUrl)]),
    ...place.map(shellQuoted),
  ].join(' ')
}

/** Generated names and routes of administrators need no flag. */
function placeFlags(issued: CommandToken): string[] {
  const { service, mount } = placeOf(issued)
  return [...(mount === null ? [] : ['--mount', mount]), ...(service === null ? [] : ['--service', service])]
}

async function localTelephone(): Promise<string> {
  const main = await telephoneProgram().catch(() => undefined) // not installed beside this program
  return main === undefined ? 'npx @vera-stack/telephone' : ownCommand('telephone', { main })
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
