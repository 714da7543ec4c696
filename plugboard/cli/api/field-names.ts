// Maps the fields of the admin API to the names on the command line. The API names a wrong field by its JSON pointer
// (`/unusedFor`), and the user has typed a flag (`--unused-for`) or an argument (`<mount>`).

import type { Command } from 'commander'
import type { Culprit } from './api-client.ts'

/** Flags whose name differs from the field. A field that is an object, such as `policy`, includes all fields in it. */
const FLAGS: Readonly<Record<string, string>> = {
  services: 'service',
  mounts: 'mount',
  scopes: 'scope',
  q: 'search',
  claimedOnly: 'claimed',
  includeDeleted: 'deleted',
  'limits.tunnels': 'maxTunnels',
  'limits.claims': 'maxClaims',
  'limits.announcementsPerMinute': 'maxAnnouncements',
  'limits.services': 'limitService',
  'limits.mounts': 'limitMount',
  'options.redirect.status': 'redirectStatus',
  'options.redirect': 'redirect',
  'options.respond.except': 'maintenanceExcept',
  'options.respond.until': 'maintenanceUntil',
  'options.respond': 'maintenance',
  'options.rateLimits': 'limit',
  'policy.rateLimits': 'limit',
  'options.stripMount': 'stripMount',
  'options.tenantHeader': 'tenantHeader',
  'options.access.allow': 'allowIp',
  'options.access.deny': 'denyIp',
  'options.access.basic': 'basicUser',
  'options.cors.origins': 'corsOrigin',
  'options.requestHeaders.set': 'setHeader',
  'options.requestHeaders.remove': 'removeHeader',
  'options.responseHeaders.set': 'setResponseHeader',
  'options.responseHeaders.remove': 'removeResponseHeader',
  'options.hsts': 'hsts',
}

/** Flags with values of the form `key=value`. */
const KEY_VALUE_FLAGS: Readonly<Record<string, string>> = { policy: 'policy', options: 'option' }

/** Fields that are parts of an argument. */
const ARGUMENTS: Readonly<Record<string, string>> = { host: 'url', path: 'url', scheme: 'url' }

/**
 * Returns `--unused-for`, `--policy retries`, `<mount>`, or the path of a field without a flag, such as `routes.options`.
 * A flag counts only when the user has given it, because its field may also come from a file.
 */
export function fieldName(command: Command, culprit: Culprit): string | undefined {
  const path = pathOf(culprit)
  const [field] = path
  if (field === undefined) return undefined
  for (let length = path.length; length > 0; length -= 1) {
    const name = path.slice(0, length).join('.')
    const flag = flagOf(command, FLAGS[name] ?? name)
    if (flag !== undefined && !(name in KEY_VALUE_FLAGS)) return flag
  }
  const pairs = KEY_VALUE_FLAGS[field]
  const pairFlag = pairs === undefined ? undefined : flagOf(command, pairs)
  if (pairFlag !== undefined && path.length > 1) return `${pairFlag} ${path.slice(1).join('.')}`
  const argument = ARGUMENTS[field] ?? field
  if (command.registeredArguments.some(each => each.name() === argument)) return `<${argument}>`
  return path.join('.')
}

function flagOf(command: Command, attribute: string): string | undefined {
  if (command.getOptionValue(attribute) === undefined) return undefined
  return command.options.find(option => option.attributeName() === attribute && !option.negate)?.long
}

function pathOf({ pointer, parameter, header }: Culprit): readonly string[] {
  if (pointer === undefined) return (parameter ?? header ?? '').split('.').filter(part => part !== '')
  return pointer
    .split('/')
    .slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}
