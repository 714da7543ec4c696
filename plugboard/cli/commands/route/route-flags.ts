// The flags of `plugboard route add` and `set` for the options of a route, and the merge patch that is built from them. The user
// gives an option without a flag as JSON or YAML. The server checks keys and values.

import { parseDuration } from '@vera-stack/shared/settings/kind.ts'
import type { Command } from 'commander'
import { isJsonObject } from '../../../common/json.ts'
import { renamedOptionProblem } from '../../../common/renamed-options.ts'
import { type CliContext, collect } from '../../api/api-command.ts'
import { CliError, usageError } from '../../cli-error.ts'
import { readPassword } from '../../read-password.ts'
import { keyValues } from '../key-values.ts'
import { addLimitFlags, givenLimits, type LimitFlags, mergedLimits } from '../limit/limit-flags.ts'
import { readObjectFile } from '../object-file.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** The values of the flags. False: the user gave the `--no-` form of the flag. */
export interface RouteFlags extends LimitFlags {
  readonly stripMount?: boolean
  readonly tenantHeader?: string | false
  readonly allowIp?: readonly string[] | false
  readonly denyIp?: readonly string[] | false
  readonly basicUser?: string
  readonly passwordFile?: string
  readonly removeBasicUser?: string
  readonly corsOrigin?: readonly string[] | false
  readonly setHeader?: readonly string[]
  readonly removeHeader?: readonly string[]
  readonly setResponseHeader?: readonly string[]
  readonly removeResponseHeader?: readonly string[]
  readonly redirect?: string | false
  readonly redirectStatus?: string
  readonly maintenance?: string | boolean
  readonly maintenanceExcept?: readonly string[]
  readonly maintenanceUntil?: string
  readonly hsts?: string | false
  readonly option?: readonly string[]
  readonly optionsFile?: string
}

/** Flags that change a part of an option. Other parts of the option stay. */
const EDITING = [
  'allowIp',
  'denyIp',
  'basicUser',
  'passwordFile',
  'removeBasicUser',
  'setHeader',
  'removeHeader',
  'setResponseHeader',
  'removeResponseHeader',
  'limit',
] as const

const lines = (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value]

export function addRouteFlags(command: Command, change: boolean): void {
  command
    .optionsGroup('Route:')
    .option('--strip-mount', 'send the path without the mount to the backend')
    .option('--tenant-header <name>', 'field that gives the backend the part of the host that * matched')
    .option('--redirect <url>', 'redirect clients to this URL, with the rest of the path and the query')
    .option('--redirect-status <status>', 'status of the redirect: 301, 302, 303, 307 (default) or 308')
    .option('--maintenance [text]', 'respond with 503 and this text instead of asking the service')
    .option(
      '--maintenance-except <network>',
      'send requests from these addresses or networks to the service; several times or with commas',
      collect,
    )
    .option(
      '--maintenance-until <time>',
      'end of the maintenance: a duration from now such as 2h, or a time such as 2026-12-24T18:00:00Z',
    )
    .optionsGroup('Access:')
    .option(
      '--allow-ip <network>',
      'allow only these addresses or networks; several times or with commas',
      collect,
    )
    .option('--deny-ip <network>', 'deny these addresses; several times or with commas', collect)
    .option('--basic-user <name>', 'a user with a password; the command asks for the password')
    .option('--password-file <path>', 'file with the password of that user; - for the standard input')
    .option(
      '--cors-origin <origin>',
      'allow pages of this origin to call the route; several times or with commas',
      collect,
    )
    .optionsGroup('Limits:')
  addLimitFlags(command)
  command
    .optionsGroup('Header fields:')
    .option('--set-header <name: value>', 'set a field of requests to the backend; several times', lines)
    .option('--remove-header <name>', 'remove a field of requests to the backend', collect)
    .option('--set-response-header <name: value>', 'set a field of responses; several times', lines)
    .option('--remove-response-header <name>', 'remove a field of responses', collect)
    .option(
      '--hsts <duration>',
      'Strict-Transport-Security of this route, such as 365d; off: the field is not sent',
    )
    .optionsGroup('Other options:')
    .option('--option <key=value>', 'any option with its value as JSON; null sets the default', lines)
    .option('--options-file <path>', 'file with options of the route, as JSON or YAML')
  if (!change) return
  command
    .optionsGroup('Undo:')
    .option('--no-strip-mount', 'send the whole path to the backend')
    .option('--no-tenant-header', 'do not set this field')
    .option('--no-redirect', 'send requests to the service again')
    .option('--no-maintenance', 'send requests to the service again')
    .option('--no-allow-ip', 'allow all addresses')
    .option('--no-deny-ip', 'deny no address')
    .option('--remove-basic-user <name>', 'remove this user')
    .option('--no-cors-origin', 'remove the CORS rules')
    .option('--no-hsts', 'use the setting of all routes')
    .option('--no-limit', 'remove the limits of the route')
}

/** Resolves with the merge patch of the flags; empty without flags. `before`: reads the options of the route, if needed. */
export async function optionsPatch(
  flags: RouteFlags,
  before: () => Promise<JsonObject>,
  context: CliContext,
): Promise<JsonObject> {
  const file =
    flags.optionsFile === undefined
      ? {}
      : await readObjectFile(context, flags.optionsFile, { flag: '--options-file', content: 'options' })
  const given = { ...file, ...(flags.option === undefined ? {} : keyValues(flags.option, '--option')) }
  for (const key of Object.keys(given)) {
    const problem = renamedOptionProblem(key)
    if (problem !== undefined) throw usageError(`"${key}": ${problem}`)
  }
  const limits = givenLimits(flags)
  const patch = {
    ...given,
    ...simple(flags, context.now()),
    ...(limits === null ? { rateLimits: null } : {}),
  }
  if (!EDITING.some(flag => flags[flag] !== undefined)) return patch
  const has: JsonObject = { ...(await before()), ...given }
  const rateLimits = limits ? { rateLimits: mergedLimits(limits, has.rateLimits) } : {}
  const access = await accessPatch(flags, objectAt(has, 'access'), context)
  return { ...patch, ...rateLimits, ...access, ...fieldsPatch(flags, has) }
}

function simple(flags: RouteFlags, nowMs: number): JsonObject {
  const { stripMount, tenantHeader, redirect, redirectStatus, corsOrigin, hsts } = flags
  if (redirectStatus !== undefined && typeof redirect !== 'string') {
    throw usageError('--redirect-status needs --redirect')
  }
  const status = redirectStatus === undefined ? {} : { status: Number(redirectStatus) }
  return given({
    stripMount,
    tenantHeader: orNull(tenantHeader, name => name),
    redirect: orNull(redirect, to => ({ to, ...status })),
    respond: maintenancePage(flags, nowMs),
    cors: orNull(corsOrigin, origins => ({ origins })),
    hsts: orNull(hsts, duration => (duration === 'off' ? false : { maxAgeSeconds: seconds(duration) })),
  })
}

/** Returns the option `respond`. Undefined: there is no flag. Null: the maintenance ends. */
function maintenancePage(flags: RouteFlags, nowMs: number): JsonObject | null | undefined {
  const { maintenance, maintenanceExcept: except, maintenanceUntil: until } = flags
  if (maintenance === undefined || maintenance === false) {
    if (except !== undefined) throw usageError('--maintenance-except needs --maintenance')
    if (until !== undefined) throw usageError('--maintenance-until needs --maintenance')
    return maintenance === undefined ? undefined : null
  }
  const text = maintenance === true ? 'Down for maintenance. Please come back later.' : maintenance
  return given({
    status: 503,
    body: `${text}\n`,
    retryAfterSeconds: 60,
    except,
    until: until === undefined ? undefined : timeOf(until, nowMs),
  })
}

/** Returns the end of a duration from now as a time. Returns another text unchanged, because the server checks its form. */
function timeOf(text: string, nowMs: number): string {
  const duration = parseDuration(text)
  if (!duration.ok) {
    if (Date.parse(text) <= nowMs)
      throw usageError(
        `--maintenance-until: ${text} is in the past; write a later time, or --no-maintenance to end the maintenance`,
      )
    return text
  }
  const end = new Date(nowMs + duration.value)
  if (Number.isNaN(end.getTime()))
    throw usageError(`--maintenance-until: ${text} is too long; use a shorter duration`)
  return end.toISOString()
}

async function accessPatch(flags: RouteFlags, before: JsonObject, context: CliContext): Promise<JsonObject> {
  const { allowIp, denyIp, basicUser, passwordFile, removeBasicUser } = flags
  if (passwordFile !== undefined && basicUser === undefined)
    throw usageError('--password-file needs --basic-user')
  const lists = given({ allow: orNull(allowIp, list => list), deny: orNull(denyIp, list => list) })
  const replaced = [basicUser, removeBasicUser].filter(name => name !== undefined)
  if (Object.keys(lists).length === 0 && replaced.length === 0) return {}
  const basic = objectAt(before, 'basic')
  const present = Array.isArray(basic.users) ? (basic.users as readonly JsonObject[]) : []
  if (removeBasicUser !== undefined && !present.some(({ name }) => name === removeBasicUser)) {
    throw new CliError(`--remove-basic-user: the route has no user ${removeBasicUser}`)
  }
  const users = present.filter(({ name }) => !replaced.includes(String(name)))
  if (basicUser !== undefined) {
    users.push({ name: basicUser, password: await readPassword(context, basicUser, passwordFile) })
  }
  // Without its last user, the route would reject each client. Without the rule, it would accept each client.
  if (replaced.length > 0 && users.length === 0) {
    throw usageError(
      'the route has no other user: give --option access=null to allow access without a login, or delete the route',
    )
  }
  const changed = { ...before, ...lists, ...(replaced.length === 0 ? {} : { basic: { ...basic, users } }) }
  const access = Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== null))
  return { access: Object.keys(access).length === 0 ? null : access }
}

function fieldsPatch(flags: RouteFlags, before: JsonObject): JsonObject {
  const edited = (key: string, set: readonly string[] = [], remove: readonly string[] = []): JsonObject => {
    if (set.length === 0 && remove.length === 0) return {}
    const edits = objectAt(before, key)
    const removed = Array.isArray(edits.remove) ? (edits.remove as readonly string[]) : []
    return {
      [key]: {
        ...edits,
        ...(set.length === 0
          ? {}
          : { set: { ...objectAt(edits, 'set'), ...Object.fromEntries(set.map(fieldOf)) } }),
        ...(remove.length === 0 ? {} : { remove: [...new Set([...removed, ...remove])] }),
      },
    }
  }
  return {
    ...edited('requestHeaders', flags.setHeader, flags.removeHeader),
    ...edited('responseHeaders', flags.setResponseHeader, flags.removeResponseHeader),
  }
}

function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(':')
  if (colon <= 0) throw usageError(`"${line}" is not a header field: write it as 'X-Name: value'`)
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
}

function seconds(duration: string): number {
  const parsed = parseDuration(duration)
  if (!parsed.ok) throw usageError(`--hsts: ${parsed.problem}`)
  return Math.floor(parsed.value / 1000)
}

/** Returns the patch without undefined values. False becomes null, which sets the default of the option again. */
function orNull<Given, Made>(flag: Given | false | undefined, make: (flag: Exclude<Given, false>) => Made) {
  if (flag === undefined) return undefined
  return flag === false ? null : make(flag as Exclude<Given, false>)
}

const given = (options: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
const objectAt = (object: JsonObject, key: string): JsonObject => {
  const value = object[key]
  return isJsonObject(value) ? value : {}
}
