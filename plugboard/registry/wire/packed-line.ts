// The form of a line in a document: its fields as one string with NUL between them, without defaults. The replica is not a field,
// because the owner of the document is the owner of its lines, so a replica cannot write lines of another one. The same line
// always packs to the same string, because digests depend on it.

import type { ReplicaId } from '../../common/ids/replica-id.ts'
import type { Line } from '../line.ts'
import { asTunnelId, lineId } from '../line-ids.ts'
import type { LineOutage } from '../line-outage.ts'
import { MalformedError } from './malformed.ts'

const DEFAULT_WEIGHT = 100
const MAX_WEIGHT = 1000
const ESCAPE = '\u0001'
/** Longest packed line, UTF-16 units. A reader rejects longer ones, and no announcement leads to one. */
export const MAX_PACKED_LENGTH = 65_536

const NO_LABELS: Line['labels'] = Object.freeze({})
const NO_MORE = { labels: NO_LABELS, outage: undefined, healthCheck: undefined }
/** The name of the label that holds the outage of a line that is down, or `CHECKED` for a line that is up. */
const HEALTH_LABEL = ''
const CHECKED = 'checked'
const OUTAGE = /^(0|[1-9][0-9]{0,14}) (-|[a-z][a-z0-9_]{0,39}) (.*)$/s

/** Packs a line: tunnel NUL service NUL telephone NUL instance [NUL state NUL version {NUL label NUL value}] */
export function packLine(line: Line): string {
  const fields = [line.tunnelId, line.service, line.telephone, line.instance]
  const state = packState(line)
  const labels = packLabels(line)
  if (state !== '' || line.version !== '' || labels.length > 0) fields.push(state, line.version, ...labels)
  // UTF-8 cannot carry a lone surrogate, so a line with one would never match on both ends.
  return fields.map(escapeField).join('\0').toWellFormed()
}

/** Unpacks a line. `strings` holds one copy of each string that many lines share. Throws MalformedError. */
export function unpackLine(packed: unknown, replicaId: ReplicaId, strings: SharedStrings): Line {
  if (typeof packed !== 'string' || packed.length > MAX_PACKED_LENGTH)
    throw new MalformedError('an entry is not a packed line')
  const raw = packed.split('\0')
  const fields = packed.includes(ESCAPE) ? raw.map(unescapeField) : raw
  const [tunnel = '', service = '', telephone, instance, state = '', version = ''] = fields
  if (tunnel === '' || service === '' || telephone === undefined || instance === undefined)
    throw new MalformedError('a packed line lacks fields')
  const { health, weight, generation, holder } = unpackState(state)
  const { labels, outage, healthCheck } = fields.length > 6 ? unpackLabels(fields, health) : NO_MORE
  return {
    id: detached(lineId(asTunnelId(tunnel), service)),
    replicaId,
    tunnelId: asTunnelId(detached(tunnel)),
    service: strings.shared(service),
    telephone: detached(telephone),
    instance: detached(instance),
    health,
    weight,
    version: strings.shared(version),
    labels,
    ...(outage !== undefined && { outage }),
    ...(healthCheck !== undefined && { healthCheck }),
    ...(generation !== undefined && { generation }),
    ...(holder !== undefined && { holder: detached(holder) }),
  }
}

/** One copy of each string that many lines share, such as services and versions. Bounded; an evicted entry is copied again. */
export class SharedStrings {
  readonly #strings = new Map<string, string>()
  readonly #capacity: number

  constructor(capacity = 4096) {
    this.#capacity = capacity
  }

  shared(text: string): string {
    const known = this.#strings.get(text)
    if (known !== undefined) return known
    if (this.#strings.size >= this.#capacity) this.#strings.clear()
    const copy = detached(text)
    this.#strings.set(copy, copy)
    return copy
  }
}

/** Copies a string, because a slice keeps the whole string in memory, and a line outlives the update in which it arrived. */
function detached<Text extends string>(text: Text): Text {
  return text.length === 0 ? text : (Buffer.from(text).toString() as Text)
}

/** Packs the state: `d` for down, a weight that is not the default, `@` and the generation, `~` and the holder. */
function packState(line: Line): string {
  const weight = line.weight === DEFAULT_WEIGHT ? '' : line.weight
  const generation = line.generation === undefined ? '' : `@${line.generation}`
  const holder = line.holder === undefined ? '' : `~${line.holder}`
  return `${line.health === 'down' ? 'd' : ''}${weight}${generation}${holder}`
}

function unpackState(state: string): Pick<Line, 'health' | 'weight' | 'generation' | 'holder'> {
  if (state === '') return { health: 'up', weight: DEFAULT_WEIGHT }
  const match = /^(d?)(\d{0,4})(?:@([^~]{1,64}))?(?:~(.{1,64}))?$/.exec(state)
  const weight = match?.[2] === '' ? DEFAULT_WEIGHT : Number(match?.[2])
  if (match === null || !(weight <= MAX_WEIGHT)) throw new MalformedError('a packed line has no valid state')
  const health = match[1] === 'd' ? 'down' : 'up'
  const [, , , generation, holder] = match
  return {
    health,
    weight,
    ...(generation !== undefined && { generation: detached(generation) }),
    ...(holder !== undefined && { holder }),
  }
}

/**
 * Returns name, value, name, value, in the order of names. Two names that differ only in lone surrogates become one. The outage,
 * or the mark of a health check, is the value of a label with an empty name, because a replica of an older version shows it as a
 * label, and rejects any other new field.
 */
function packLabels({ labels, health, outage, healthCheck }: Line): string[] {
  const named = new Map(Object.entries(labels).map(([name, value]) => [name.toWellFormed(), value]))
  if (health === 'down' && outage !== undefined) named.set(HEALTH_LABEL, packOutage(outage))
  else if (health === 'up' && healthCheck) named.set(HEALTH_LABEL, CHECKED)
  return [...named].sort(([left], [right]) => (left < right ? -1 : 1)).flat()
}

function unpackLabels(
  fields: readonly string[],
  health: Line['health'],
): Pick<Line, 'labels' | 'outage' | 'healthCheck'> {
  if (fields.length % 2 !== 0) throw new MalformedError('a packed line has a label without a value')
  const labels: [string, string][] = []
  let outage: LineOutage | undefined
  let isChecked = false
  for (let i = 6; i < fields.length; i += 2) {
    const [name, value] = [fields[i]!, fields[i + 1]!]
    if (name === HEALTH_LABEL && health === 'down') outage = unpackOutage(value)
    if (name === HEALTH_LABEL && health === 'up') isChecked = value === CHECKED
    if (name !== HEALTH_LABEL || (outage === undefined && !isChecked)) {
      labels.push([detached(name), detached(value)])
    }
  }
  return { labels: Object.fromEntries(labels), outage, ...(isChecked && { healthCheck: true }) }
}

/** Packs an outage: start, cause or `-`, detail. */
function packOutage({ sinceMs, cause = '-', detail }: LineOutage): string {
  return `${sinceMs} ${cause} ${detail}`
}

/** Unpacks an outage, so that it packs to the same text again. Returns undefined for a label that a telephone has chosen. */
function unpackOutage(text: string): LineOutage | undefined {
  const [, sinceMs, cause, detail] = OUTAGE.exec(text) ?? []
  if (sinceMs === undefined || cause === undefined || detail === undefined) return undefined
  return {
    sinceMs: Number(sinceMs),
    ...(cause !== '-' && { cause: detached(cause) }),
    detail: detached(detail),
  }
}

/** Escapes a field. Names come from telephones and may contain any character, even NUL. */
function escapeField(field: string): string {
  if (!field.includes('\0') && !field.includes(ESCAPE)) return field
  return field.replaceAll(ESCAPE, `${ESCAPE}a`).replaceAll('\0', `${ESCAPE}b`)
}

function unescapeField(field: string): string {
  return field.replaceAll(`${ESCAPE}b`, '\0').replaceAll(`${ESCAPE}a`, ESCAPE)
}
