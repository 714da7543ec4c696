// The command line that starts a Telephone with a new token. The token is in a variable, because other users of a machine can
// see the arguments of a process. `npx` gets the name with our scope: the bare name belongs to a package of another publisher.

import {
  mountScopeCovers,
  parseMount,
  serviceNameOfMount,
  serviceScopeCovers,
} from '@vera-stack/shared/mounts.ts'
import { ownCommand, shellQuoted } from '@vera-stack/shared/process/own-command.ts'
import { telephoneProgram } from '../dev/telephone-child.ts'

export interface CommandToken {
  readonly token: string
  readonly services: readonly string[]
  readonly mounts: readonly string[]
  readonly plugboardUrl: string
}

/** The default of `--plugboard` in `telephone http`. */
const DEFAULT_PLUGBOARD = 'http://localhost:4000'
/** A service that `telephone http` generates (telephone/options/generated-name.ts). */
const GENERATED_SERVICE = 'tunnel-x'

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

/** Returns flags with a mount and a service that the token covers. Generated names and routes of administrators need no flag. */
function placeFlags({ services, mounts }: CommandToken): string[] {
  const covered = (service: string): boolean => services.some(scope => serviceScopeCovers(scope, service))
  const service = services.find(name => !name.includes('*')) ?? services[0]?.replace('*', '1')
  const [first] = mounts
  const named = mounts.find(mount => !mount.includes('*'))
  if (first === undefined) return service === undefined ? [] : ['--service', service]
  const parsed = parseMount(named ?? first.replace('*', 'app'))
  if (
    !parsed.ok ||
    (named === undefined && (first === '*' || isWildcardHost(first)) && covered(GENERATED_SERVICE))
  )
    return []
  const { value: mount } = parsed
  if (!mounts.some(scope => mountScopeCovers(scope, mount))) return []
  const text = mount.path === '/' ? mount.host : mount.host + mount.path
  return covered(serviceNameOfMount(mount)) || service === undefined
    ? ['--mount', text]
    : ['--mount', text, '--service', service]
}

const isWildcardHost = (mount: string): boolean => /^\*\.[^/]+$/.test(mount)

async function localTelephone(): Promise<string> {
  const main = await telephoneProgram().catch(() => undefined) // not installed beside this program
  return main === undefined ? 'npx @vera-stack/telephone' : ownCommand('telephone', { main })
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
