// The kinds of values of settings. A kind parses text into a value, formats a value as text, and describes the problem of
// invalid text. Independent of flags, variables and files.

import { resolve } from 'node:path'

/** `:4000` has no host: all interfaces, IPv6 and IPv4. */
export interface ListenAddress {
  readonly host: string | undefined
  readonly port: number
}

export type ParsedSetting<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string }

export interface Kind<T> {
  /** The name of the kind in tables: `duration`, `list of text`. */
  readonly name: string
  /** The word for the value in `--help`: `--drain-timeout <duration>`. */
  readonly placeholder: string
  /** Parses `raw`: text from a flag or a variable, or a plain value of YAML. Relative paths start at `folder`. */
  parse(raw: unknown, folder: string): ParsedSetting<T>
  format(value: T): string
}

const good = <T>(value: T): ParsedSetting<T> => ({ ok: true, value })
const bad = (problem: string): ParsedSetting<never> => ({ ok: false, problem })

/** Returns an invalid value for an error message. Long values are cut, because a secret that was pasted by mistake is long. */
function quote(raw: unknown): string {
  const text = typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? String(raw))
  return `"${text.length > 40 ? `${text.slice(0, 24)}…` : text}"`
}

const asText = (raw: unknown): string | undefined =>
  typeof raw === 'string' ? raw.trim() : typeof raw === 'number' ? String(raw) : undefined

export const textKind: Kind<string> = {
  name: 'text',
  placeholder: 'text',
  parse(raw) {
    const text = asText(raw)
    return text === undefined ? bad(`${quote(raw)} is not text`) : good(text)
  },
  format: value => value,
}

interface Bounds {
  readonly min: number
  readonly max: number
}

function within<T extends number>(
  value: T,
  bounds: Bounds,
  format: (value: number) => string,
): ParsedSetting<T> {
  if (value < bounds.min) return bad(`${format(value)} is too small: at least ${format(bounds.min)}`)
  if (value > bounds.max) return bad(`${format(value)} is too large: at most ${format(bounds.max)}`)
  return good(value)
}

export function integerKind(bounds: Bounds, name = 'integer'): Kind<number> {
  return {
    name,
    placeholder: name === 'port' ? 'port' : 'n',
    parse(raw) {
      const text = asText(raw)
      if (text === undefined || !/^-?\d{1,15}$/.test(text)) return bad(`${quote(raw)} is not a whole number`)
      return within(Number(text), bounds, String)
    },
    format: String,
  }
}

const DURATION_UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Returns the milliseconds of `500ms`, `30s`, `2m`, `1h30m` or `7d`. `0` needs no unit. */
export function parseDuration(raw: unknown): ParsedSetting<number> {
  const text = asText(raw)
  if (text === '0') return good(0)
  if (text !== undefined && /^\d+(\.\d+)?$/.test(text)) {
    return bad(`${quote(text)} has no unit: write ${text}s for seconds or ${text}ms for milliseconds`)
  }
  if (text === undefined || !/^(\d{1,15}(\.\d{1,15})?(ms|s|m|h|d))+$/.test(text)) {
    return bad(`${quote(raw)} is not a duration such as 500ms, 30s, 2m, 1h or 7d`)
  }
  let totalMs = 0
  for (const [, amount, , unit] of text.matchAll(/(\d{1,15}(\.\d{1,15})?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * DURATION_UNITS_MS[unit as keyof typeof DURATION_UNITS_MS]
  }
  return Number.isSafeInteger(Math.round(totalMs))
    ? good(Math.round(totalMs))
    : bad(`${quote(text)} is too long`)
}

/** Returns the shortest exact form: `90s` for 90000, `2m` for 120000. */
function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms !== 0 && ms % DURATION_UNITS_MS[unit] === 0) return `${ms / DURATION_UNITS_MS[unit]}${unit}`
  }
  return ms === 0 ? '0' : `${ms}ms`
}

export function durationKind(bounds: Bounds): Kind<number> {
  return {
    name: 'duration',
    placeholder: 'duration',
    parse(raw) {
      const parsed = parseDuration(raw)
      return parsed.ok ? within(parsed.value, bounds, formatDuration) : parsed
    },
    format: formatDuration,
  }
}

const BYTE_UNITS = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
} as const

/** Returns the bytes of `65536`, `64KiB`, `10MB` or `1.5GiB`. */
export function parseBytes(raw: unknown): ParsedSetting<number> {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?$/i.exec(asText(raw) ?? '')
  const unit = (match?.[2] ?? 'b').toLowerCase()
  if (match === null || !(unit in BYTE_UNITS)) return bad(`${quote(raw)} is not a size such as 64KiB or 10MB`)
  const bytes = Number(match[1]) * BYTE_UNITS[unit as keyof typeof BYTE_UNITS]
  return Number.isSafeInteger(bytes) ? good(bytes) : bad(`${quote(raw)} is not a whole number of bytes`)
}

function formatBytes(bytes: number): string {
  for (const [unit, factor] of [
    ['TiB', 2 ** 40],
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
    ['MB', 1e6],
    ['KB', 1e3],
  ] as const) {
    if (bytes !== 0 && bytes % factor === 0) return `${bytes / factor}${unit}`
  }
  return `${bytes}B`
}

export function bytesKind(bounds: Bounds): Kind<number> {
  return {
    name: 'size',
    placeholder: 'size',
    parse(raw) {
      const parsed = parseBytes(raw)
      return parsed.ok ? within(parsed.value, bounds, formatBytes) : parsed
    },
    format: formatBytes,
  }
}

/** Returns the kind of a percentage: `75%`, or `75` alone. */
export function percentKind(bounds: Bounds): Kind<number> {
  return {
    name: 'percentage',
    placeholder: 'percent',
    parse(raw) {
      const match = /^(\d{1,3})\s*%?$/.exec(asText(raw) ?? '')
      if (match === null) return bad(`${quote(raw)} is not a percentage such as 75%`)
      return within(Number(match[1]), bounds, formatPercent)
    },
    format: formatPercent,
  }
}

const formatPercent = (percent: number): string => `${percent}%`

/** Returns the kind of a number from 0 to 1: `0.01`, or `1%`. */
export const fractionKind: Kind<number> = {
  name: 'fraction',
  placeholder: '0..1',
  parse(raw) {
    const match = /^(\d{1,3}(?:\.\d{1,9})?)\s*(%?)$/.exec(asText(raw) ?? '')
    if (match === null) return bad(`${quote(raw)} is not a number from 0 to 1 such as 0.1, nor a percentage`)
    return within(Number(match[1]) / (match[2] === '%' ? 100 : 1), { min: 0, max: 1 }, String)
  },
  format: String,
}

const YES = new Set(['true', 'yes', 'on', '1'])
const NO = new Set(['false', 'no', 'off', '0'])

export const booleanKind: Kind<boolean> = {
  name: 'yes or no',
  placeholder: '',
  parse(raw) {
    if (typeof raw === 'boolean') return good(raw)
    const text = asText(raw)?.toLowerCase() ?? ''
    if (YES.has(text)) return good(true)
    return NO.has(text) ? good(false) : bad(`${quote(raw)} is neither true nor false`)
  },
  format: String,
}

/**
 * Returns the kind of a URL. `protocols` are the allowed schemes without the colon. `check` returns the problem of a URL, or
 * undefined. The value is the text itself.
 */
export function urlKind(
  protocols: readonly string[],
  check: (url: URL) => string | undefined = () => undefined,
): Kind<string> {
  return {
    name: 'URL',
    placeholder: 'url',
    parse(raw) {
      const text = asText(raw)
      const wanted = protocols.map(protocol => `${protocol}://…`).join(' or ')
      // The message does not quote the text, because a URL may hold a password.
      const url = text === undefined ? null : URL.parse(withHost(text))
      if (text === undefined || url === null) return bad(`not a URL; expected ${wanted}`)
      const protocol = url.protocol.slice(0, -1)
      if (!protocols.includes(protocol)) return bad(`${protocol}: cannot be used; expected ${wanted}`)
      const problem = check(url)
      return problem === undefined ? good(text) : bad(problem)
    },
    format: value => withoutPassword(value),
  }
}

/** `postgres://user@/name?host=/run/postgresql`, over a unix socket, has no host. Postgres accepts it, `URL` does not. */
const withHost = (text: string): string => text.replace(/^(\w+:\/\/(?:[^/@]*@)?)\//, '$1localhost/')

/** Returns the URL with its password replaced, so that it may be shown. */
export function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/@\s]*):[^@\s]*@/i, '$1:***@')
}

/** An absolute path. A relative path in a file starts at the folder of that file; any other at the working directory. */
export const pathKind: Kind<string> = {
  name: 'path',
  placeholder: 'path',
  parse(raw, folder) {
    const text = asText(raw)
    if (text === undefined || text === '') return bad(`${quote(raw)} is not a path`)
    return text.includes('\0') ? bad('a path cannot hold a NUL byte') : good(resolve(folder, text))
  },
  format: value => value,
}

/** Returns the kind of a choice. `aliases` are further names of choices, which the help does not list. */
export function choiceKind<const T extends string>(
  choices: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): Kind<T> {
  return {
    name: choices.join(', '),
    placeholder: choices.join('|'),
    parse(raw) {
      const name = typeof raw === 'string' && Object.hasOwn(aliases, raw) ? aliases[raw] : raw
      const found = choices.find(choice => choice === name)
      return found === undefined ? bad(`${quote(raw)} is not one of: ${choices.join(', ')}`) : good(found)
    },
    format: value => value,
  }
}

/** An address: `4000`, `:4000`, `127.0.0.1:4000`, `localhost:4000` or `[::1]:4000`. For port 0, the system chooses a port. */
export const listenKind: Kind<ListenAddress> = {
  name: 'host:port',
  placeholder: 'host:port',
  parse(raw) {
    const match = /^(?:(\[[0-9a-fA-F:.%]+\]|[^:[\]\s/]*):)?(\d{1,5})$/.exec(asText(raw) ?? '')
    const port = Number(match?.[2])
    if (match === null || port > 65_535) {
      return bad(`${quote(raw)} is not an address such as :4000, 127.0.0.1:4000 or [::1]:4000`)
    }
    const host = match[1]?.replace(/^\[|\]$/g, '')
    return good({ host: host === '' || host === '*' ? undefined : host, port })
  },
  format: ({ host, port }) => `${host?.includes(':') ? `[${host}]` : (host ?? '')}:${port}`,
}

/** One or more addresses, separated by commas or as a YAML sequence: `127.0.0.1:4000,[::1]:4000`. */
export const listenListKind: Kind<readonly ListenAddress[]> = {
  name: 'list of host:port',
  placeholder: 'host:port,…',
  parse(raw) {
    const addresses: ListenAddress[] = []
    for (const part of Array.isArray(raw) ? raw : [raw]) {
      for (const text of (asText(part) ?? '').split(',')) {
        const parsed = listenKind.parse(text, '')
        if (!parsed.ok) return parsed
        addresses.push(parsed.value)
      }
    }
    return addresses.length === 0 ? bad('names no address') : good(addresses)
  },
  format: addresses => addresses.map(address => listenKind.format(address)).join(','),
}

/**
 * Returns the kind of a list: text separated by commas or new lines, a YAML sequence, or a flag given several times. `check`
 * returns the problem of an item, or undefined.
 */
export function listKind(
  placeholder: string,
  check: (item: string) => string | undefined = () => undefined,
): Kind<readonly string[]> {
  return {
    name: 'list',
    placeholder: `${placeholder}…`,
    parse(raw) {
      const items: string[] = []
      const problems: string[] = []
      for (const part of Array.isArray(raw) ? raw : [raw]) {
        const text = asText(part)
        if (text === undefined) problems.push(`${quote(part)} is not text`)
        else items.push(...text.split(/[,\n]/).map(item => item.trim()))
      }
      const kept = items.filter(item => item !== '')
      for (const item of kept) {
        const problem = check(item)
        if (problem !== undefined) problems.push(problem)
      }
      return problems.length === 0 ? good(kept) : bad(problems.join('; '))
    },
    format: value => value.join(','),
  }
}
