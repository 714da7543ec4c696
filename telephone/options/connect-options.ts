// The options of `connect()`: their types, and the checks of their values. Callers in JavaScript have no types, so a value
// that cannot be used becomes a VeraError that names the option, before anything is dialled.

import { hostname } from 'node:os'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { targetLoopProblem } from '../backend/target-loop.ts'
import type { TelephoneEvent, TelephoneListener } from '../events.ts'
import type { TelephoneOptions } from '../telephone.ts'
import { tunnelUrl } from '../tunnel/plugboard-url.ts'
import type { TokenSource } from '../tunnel/token-store.ts'
import { parseService, type Service, ServiceError, type ServiceOptions } from './service-options.ts'
import type { TelephoneSettings } from './telephone-settings.ts'
import { valueText } from './value-text.ts'

/** The request of a failed handler: `service`, `method`, and `path` without its query. */
export type HandlerFailure = Pick<
  Extract<TelephoneEvent, { kind: 'handler_failed' }>,
  'service' | 'method' | 'path'
>

export interface ConnectSettings extends TelephoneSettings {
  /** The address of Plugboard, such as `https://proxy.example.com`, or several addresses of one cluster. */
  readonly plugboard: string | readonly string[]
  /** The token, or `{ file }` with its path. The Telephone reads the file at each connection, and writes renewed tokens to it. */
  readonly token: string | { readonly file: string } | undefined
  /** Called with each event, from the first dial on. Without it, `connect` writes one warning when it has to wait. */
  readonly onEvent?: TelephoneListener
  /** Called when a fetch handler throws or returns no Response. Default: `console.error`. */
  readonly onHandlerError?: (error: unknown, failure: HandlerFailure) => void
  /** Ends the wait for the first connection, or closes the Telephone later. */
  readonly signal?: AbortSignal
}

/** The options of `connect()`: those of one service beside the settings, or several services under `services`. */
export type ConnectOptions = ConnectSettings &
  (ServiceOptions | { readonly services: readonly ServiceOptions[] })

export interface ReadConnectOptions {
  readonly telephone: TelephoneOptions
  readonly onEvent: TelephoneListener | undefined
  readonly onHandlerError: NonNullable<ConnectSettings['onHandlerError']>
  readonly signal: AbortSignal | undefined
}

const MAX_TUNNELS = 16
const MAX_NAME_LENGTH = 255
/** Longest time that a timer of Node can wait, ms. */
const LONGEST_TIMER_MS = 0x7fff_ffff

/** Returns the checked options. Throws VeraError `invalid_request`, whose `field` names the option. */
export function readConnectOptions(options: ConnectOptions): ReadConnectOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalid('options', 'connect() needs an object: { plugboard, token, service, target }.')
  }
  const plugboards = plugboardsOf(options.plugboard)
  const token = tokenOf(options.token)
  const services = servicesOf(options, plugboards)
  checkSettings(options)
  return {
    telephone: {
      ...options,
      plugboards,
      token,
      services,
      name: options.name ?? processName(services),
    },
    onEvent: functionOf('onEvent', options.onEvent),
    onHandlerError: functionOf('onHandlerError', options.onHandlerError) ?? writeHandlerError,
    signal: options.signal,
  }
}

function plugboardsOf(plugboard: unknown): string[] {
  const urls: unknown[] = Array.isArray(plugboard) ? plugboard : [plugboard]
  if (urls.length === 0)
    throw invalid('plugboard', 'The list is empty. Give an address such as https://host.')
  return urls.map(url => {
    if (typeof url !== 'string' || url === '') {
      throw invalid(
        'plugboard',
        `${valueText(url)} is not an address. Give one such as https://host, or a list of addresses.`,
      )
    }
    try {
      tunnelUrl(url)
      return url
    } catch (error) {
      throw invalid(
        'plugboard',
        `${valueText(url)}: ${error instanceof Error ? error.message : error}`,
        error,
      )
    }
  })
}

function tokenOf(token: unknown): TokenSource {
  if (typeof token === 'string' && token.trim() !== '') return { kind: 'text', token }
  if (typeof token === 'object' && token !== null && 'file' in token) {
    if (typeof token.file === 'string' && token.file !== '') return { kind: 'file', path: token.file }
  }
  const given = token === undefined || token === '' ? 'is missing' : 'must be a text or { file }'
  throw invalid('token', `The token ${given}. "plugboard token issue" issues one.`)
}

function servicesOf(options: ConnectOptions, plugboards: readonly string[]): Service[] {
  const rows: unknown = 'services' in options ? options.services : [options]
  if (!Array.isArray(rows) || rows.length === 0) {
    throw invalid('services', 'Give a list with at least one service, or the options of one service.')
  }
  try {
    return rows.map((row: ServiceOptions | null) => {
      if (typeof row !== 'object' || row === null)
        throw invalid('services', `${valueText(row)} is not a service. Give an object with a target.`)
      const service = parseService(row)
      if (service.tlsCa !== undefined) checkPem('tlsCa', service.tlsCa)
      const loop = targetLoopProblem(service.target, plugboards)
      if (loop !== undefined) throw new ServiceError('target', loop)
      return service
    })
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    throw invalid(error.field, error.message, error)
  }
}

/** Checks the settings. config.ts has the same bounds for the command line. */
function checkSettings(options: ConnectSettings): void {
  const { name, tunnels, drainTimeoutMs, dialTimeoutMs, maxHeldBytes, plugboardCa } = options
  if (name !== undefined && !(typeof name === 'string' && name !== '' && name.length <= MAX_NAME_LENGTH)) {
    throw invalid(
      'name',
      `${valueText(name)} is not a name. Give a text of 1 to ${MAX_NAME_LENGTH} characters.`,
    )
  }
  if (tunnels !== undefined && !(Number.isInteger(tunnels) && tunnels >= 1 && tunnels <= MAX_TUNNELS)) {
    throw invalid('tunnels', `${valueText(tunnels)} is not a whole number from 1 to ${MAX_TUNNELS}.`)
  }
  for (const field of ['followReplicas', 'reportExchanges'] as const) {
    const value: unknown = options[field]
    if (value !== undefined && typeof value !== 'boolean')
      throw invalid(field, `${valueText(value)} is not true or false.`)
  }
  const { env, signal } = options
  if (env !== undefined && (typeof env !== 'object' || env === null)) {
    throw invalid('env', `${valueText(env)} is not an object of environment variables.`)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid('signal', `${valueText(signal)} is not an AbortSignal.`)
  }
  checkNumber('drainTimeoutMs', drainTimeoutMs, 0, LONGEST_TIMER_MS)
  checkNumber('dialTimeoutMs', dialTimeoutMs, 1, LONGEST_TIMER_MS)
  checkNumber('maxHeldBytes', maxHeldBytes, 1, Number.MAX_SAFE_INTEGER)
  if (plugboardCa !== undefined) checkPem('plugboardCa', plugboardCa)
}

function checkPem(field: string, value: unknown): void {
  if (typeof value !== 'string') throw invalid(field, `${valueText(value)} is not a text.`)
  if (value.includes('-----BEGIN CERTIFICATE-----')) return
  throw invalid(field, 'The text contains no PEM certificate. Give the content of the file, not its path.')
}

function checkNumber(field: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return
  if (typeof value === 'number' && value >= min && value <= max) return
  throw invalid(field, `${valueText(value)} is not a number from ${min} to ${max}.`)
}

function functionOf<Value>(field: string, value: Value | undefined): Value | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw invalid(field, `${valueText(value)} is not a function.`)
}

function writeHandlerError(error: unknown, { service, method, path }: HandlerFailure): void {
  console.error(`telephone: the handler of service "${service}" failed at ${method} ${path}:`, error)
}

function invalid(field: string, message: string, cause?: unknown): VeraError {
  return new VeraError('invalid_request', `${field}: ${message}`, { field, cause })
}

/** Returns a name for this process. It contains the process id, because a host often runs several workers of one program. */
function processName(services: readonly Service[]): string {
  return [hostname(), services[0]?.service, process.pid].join('-')
}
