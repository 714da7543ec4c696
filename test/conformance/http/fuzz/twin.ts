// Parses the bytes of one client connection. The parser is slow and simple, and shares no code with the product. It implements
// RFC 9112 with the stricter rules of plugboard/proxy/EDGE.md. After an `error`, no further byte may reach the backend.
// Plugboard may reject more than this parser, never less.

import { METHODS } from 'node:http'

export interface TwinRequest {
  readonly method: string
  /** The target at the backend. Undefined: Plugboard responds itself. */
  readonly target: string | undefined
  readonly host: string
  readonly body: string
  /**
   * Node's parser rejects a tab after `chunked`. But when an Upgrade is ignored, it reads no body, and the rest of the
   * connection is discarded.
   */
  readonly mayBeEmpty: boolean
  /** Fields of this test, `X-Keep…`, in order. */
  readonly kept: readonly string[]
}

export interface TwinReading {
  readonly requests: readonly TwinRequest[]
  /** The received part of an incomplete request. */
  readonly partial: TwinRequest | undefined
  /** `open`: another request may follow. `ignored`: further bytes are not parsed. */
  readonly end: 'open' | 'incomplete' | 'error' | 'ignored'
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
const LINE = new RegExp(`^(${TOKEN}) +([!-~]+) +HTTP/1\\.([01])$`)
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*([\\t -~\\x80-\\xff]*?)[ \\t]*$`)
const MAX_FIELDS = 200
const MAX_HEAD = 65_536
const MAX_TARGET = 16_384
const ROUTED = new Set(['edge.test', 'neighbour.test'])

class Wrong extends Error {}

export function readTwin(stream: string): TwinReading {
  const requests: TwinRequest[] = []
  let rest = stream
  for (;;) {
    rest = rest.replace(/^[\r\n]+/, '')
    if (rest === '') return { requests, partial: undefined, end: 'open' }
    let partial: TwinRequest | undefined
    try {
      const headEnd = rest.indexOf('\r\n\r\n')
      if (headEnd === -1 || headEnd > MAX_HEAD) {
        const begun = rest.slice(0, headEnd === -1 ? undefined : headEnd)
        return { requests, partial, end: wrongAlready(begun) ? 'error' : 'incomplete' }
      }
      const head = readHead(rest.slice(0, headEnd))
      rest = rest.slice(headEnd + 4)
      partial = { ...head, body: '' }
      const body = readBody(rest, head.length)
      partial = { ...head, body: body.text }
      if (body.state === 'error' && !head.reportsBrokenBody) return { requests, partial, end: 'incomplete' }
      if (body.state !== 'complete') return { requests, partial, end: body.state }
      requests.push(partial)
      rest = rest.slice(body.taken)
      if (head.last) return { requests, partial: undefined, end: 'ignored' }
    } catch (error) {
      if (!(error instanceof Wrong)) throw error
      return { requests, partial, end: 'error' }
    }
  }
}

/** Checks a head that is not complete. Reports an error only when no further bytes can make the head valid. */
function wrongAlready(begun: string): boolean {
  if (begun.length > MAX_HEAD) return true
  const lines = begun.split('\r\n')
  const last = lines.pop() ?? ''
  if (/[\0\n]|\r./.test(begun.replaceAll('\r\n', ''))) return true
  if (lines.length === 0) return last.includes('\0')
  return !LINE.test(lines[0]!) || lines.slice(1).some(line => !FIELD.test(line))
}

function readHead(text: string) {
  const [line = '', ...lines] = text.split('\r\n')
  const match = LINE.exec(line)
  if (match === null || !METHODS.includes(match[1]!)) throw new Wrong()
  const [, method = '', target = '', minor] = match
  const fields = lines.map(each => {
    const field = FIELD.exec(each)
    if (field === null) throw new Wrong()
    return { name: field[1]!.toLowerCase(), written: field[1]!, value: field[2]! }
  })
  const all = (name: string) => fields.filter(field => field.name === name).map(({ value }) => value)
  if (fields.length > MAX_FIELDS || text.length > MAX_HEAD || target.length > MAX_TARGET) throw new Wrong()
  const http10 = minor === '0'
  const length = lengthOf(all('content-length'), all('transfer-encoding'), http10)
  const hasBody = length === 'chunked' || length > 0
  const hosts = all('host')
  if (hosts.length !== 1) throw new Wrong()
  const expectations = http10 ? [] : all('expect')
  if (expectations.some(value => value.toLowerCase() !== '100-continue')) throw new Wrong()
  const named = tokens(all('connection'))
  const place = placeOf(method, target, hosts[0]!)
  // An empty field names no protocol. Node's parser has the same rule.
  const upgrades = all('upgrade').some(value => value !== '') && named.includes('upgrade')
  const protocols = tokens(all('upgrade')).filter(protocol => protocol !== '')
  const ignored = protocols.some(protocol => /^(?:h2c?|http|tls)(?:\/|$)/.test(protocol))
  if (length === 'chunked' && protocols.length > 0 && !ignored) throw new Wrong()
  return {
    method,
    ...place,
    length: method === 'CONNECT' ? 0 : length,
    // Node's parser does not report broken chunks behind an Upgrade: such a body is never complete.
    reportsBrokenBody: length !== 'chunked' || protocols.length === 0,
    mayBeEmpty: upgrades && lines.some(each => /^transfer-encoding:.*\t[ \t]*$/i.test(each)),
    kept: fields
      .filter(({ name }) => name.startsWith('x-keep') && !named.includes(name))
      .map(field => `${field.written}: ${field.value}`),
    last:
      upgrades ||
      method === 'CONNECT' ||
      named.includes('close') ||
      (http10 && !named.includes('keep-alive')) ||
      // The body may never arrive.
      (place.target === undefined && hasBody && expectations.length > 0),
  }
}

function lengthOf(lengths: string[], codings: string[], http10: boolean): number | 'chunked' {
  if (lengths.length + codings.length > 1) throw new Wrong()
  if (codings.length === 1) {
    if (http10 || codings[0]!.toLowerCase() !== 'chunked') throw new Wrong()
    return 'chunked'
  }
  const [length = '0'] = lengths
  if (!/^\d{1,16}$/.test(length) || !Number.isSafeInteger(Number(length))) throw new Wrong()
  return Number(length)
}

function tokens(values: string[]): string[] {
  return values.flatMap(value => value.split(',')).map(token => token.trim().toLowerCase())
}

function placeOf(
  method: string,
  written: string,
  hostField: string,
): { target: string | undefined; host: string } {
  if (written.includes('#')) throw new Wrong()
  let host = hostField
  let target = written
  if (hostOf(hostField) === undefined) throw new Wrong()
  if (method === 'CONNECT') return { target: undefined, host }
  if (method === 'OPTIONS' && target === '*') return { target: undefined, host }
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(target)
  if (absolute !== null) {
    host = absolute[1]!
    target = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]!}`
  }
  const name = hostOf(host)
  const [path = ''] = target.split('?', 1)
  if (name === undefined || !path.startsWith('/') || path.includes('%00') || path.includes('\\'))
    throw new Wrong()
  const kept: string[] = []
  const segments = path.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    const dots = segment.replace(/%2e/gi, '.')
    const last = index === segments.length - 1
    if (dots === '..' && kept.pop() === undefined) throw new Wrong()
    if (dots !== '.' && dots !== '..') kept.push(segment)
    else if (last) kept.push('')
  }
  const normal = `/${kept.join('/')}`
  const ours = normal === '/_plugboard' || normal.startsWith('/_plugboard/')
  const forwarded = method !== 'TRACE' && ROUTED.has(name) && !ours
  return { host, target: forwarded ? normal + target.slice(path.length) : undefined }
}

function hostOf(written: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{0,5}))?$/i.exec(written)
  if (match === null || Number(match[2] ?? 0) > 65_535) return undefined
  const name = match[1]!.toLowerCase().replace(/\.$/, '')
  return name.split('.').every(label => label !== '') ? name : undefined
}

interface TwinBody {
  readonly state: 'complete' | 'incomplete' | 'error'
  readonly text: string
  readonly taken: number
}

function readBody(rest: string, length: number | 'chunked'): TwinBody {
  if (length !== 'chunked') {
    const text = rest.slice(0, length)
    return { state: text.length === length ? 'complete' : 'incomplete', text, taken: length }
  }
  let text = ''
  let at = 0
  const stop = (state: 'incomplete' | 'error'): TwinBody => ({ state, text, taken: at })
  for (;;) {
    const line = /^([0-9a-fA-F]{1,16})((?:;[\t -~\x80-\xff]*)?)\r\n/.exec(rest.slice(at, at + 20_000))
    if (line === null) {
      return stop(/^[0-9a-fA-F]{0,16}(;[\t -~\x80-\xff]*)?\r?$/.test(rest.slice(at)) ? 'incomplete' : 'error')
    }
    const size = Number.parseInt(line[1]!, 16)
    at += line[0].length
    if (size === 0) break
    text += rest.slice(at, at + size)
    const end = rest.slice(at + size, at + size + 2)
    if (!'\r\n'.startsWith(end)) return stop('error')
    if (end.length < 2) return stop('incomplete')
    at += size + 2
  }
  // The search starts at the line end before the section, so that an empty section has the same form as any other.
  const section = `\r\n${rest.slice(at)}`
  const end = section.indexOf('\r\n\r\n')
  if (end === -1) return stop(/[\0\n]|\r./.test(section.replaceAll('\r\n', '')) ? 'error' : 'incomplete')
  const lines = end === 0 ? [] : section.slice(2, end).split('\r\n')
  if (!lines.every(line => FIELD.test(line) && !/^(?:transfer-encoding|content-length):/i.test(line)))
    return stop('error')
  return { state: 'complete', text, taken: at + end + 2 }
}
