// Compares the response of an exchange with the response of its replay: status, fields and body. JSON is compared by value, other texts by
// line. Of a body that was cut, the kept part is compared. The dashboard uses this file too, so it needs no module of Node.

import type { CapturedExchange } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { isJsonObject } from '../../../common/json.ts'
import type { ResponseDiffBody } from '../../bodies/requests/replay.ts'

type Sent = CapturedExchange['sent']
type Difference = ResponseDiffBody['body']['differences'][number]

/** The largest number of listed differences of a body. */
const MAX_DIFFERENCES = 100
/** The longest listed value, in characters. */
const MAX_VALUE = 200
/** Fields that are usually different in each response. The lengths of bodies are compared separately. */
const ALWAYS_DIFFERENT: ReadonlySet<string> = new Set(['date', 'x-request-id', 'age', 'content-length'])

export function responseDiff(before: Sent, after: Sent): ResponseDiffBody {
  const differences = bodyDifferences(before, after)
  return {
    status: { before: before?.status ?? null, after: after?.status ?? null },
    fields: fieldDifferences(before, after),
    body: {
      equal: before?.body?.bytes === after?.body?.bytes && differences.length === 0,
      bytes: { before: before?.body?.bytes ?? 0, after: after?.body?.bytes ?? 0 },
      differences: differences.slice(0, MAX_DIFFERENCES),
      more: Math.max(0, differences.length - MAX_DIFFERENCES),
    },
  }
}

function fieldDifferences(before: Sent, after: Sent): ResponseDiffBody['fields'] {
  const [old, now] = [valuesOf(before), valuesOf(after)]
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter(name => !ALWAYS_DIFFERENT.has(name) && !isSameList(old.get(name), now.get(name)))
    .sort()
    .map(name => ({ name, before: old.get(name) ?? [], after: now.get(name) ?? [] }))
}

const isSameList = (one: readonly string[] = [], other: readonly string[] = []): boolean =>
  one.length === other.length && one.every((value, index) => value === other[index])

/** Returns the values by the name in lower case. */
function valuesOf(sent: Sent): ReadonlyMap<string, string[]> {
  const values = new Map<string, string[]>()
  for (const [name, value] of sent?.fields ?? []) {
    const key = name.toLowerCase()
    values.set(key, [...(values.get(key) ?? []), value])
  }
  return values
}

function bodyDifferences(before: Sent, after: Sent): Difference[] {
  const [old, now] = [before?.body?.text ?? '', after?.body?.text ?? '']
  if (old === now) return []
  const [oldJson, nowJson] = [jsonOf(old), jsonOf(now)]
  return oldJson === undefined || nowJson === undefined
    ? lineDifferences(old, now)
    : [...jsonDifferences(oldJson.value, nowJson.value, '')]
}

function jsonOf(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

function* jsonDifferences(old: unknown, now: unknown, pointer: string): Generator<Difference> {
  if (old === now) return
  const [oldMembers, nowMembers] = [membersOf(old), membersOf(now)]
  if (oldMembers === undefined || nowMembers === undefined || Array.isArray(old) !== Array.isArray(now)) {
    yield { at: pointer, before: shown(old), after: shown(now) }
    return
  }
  for (const name of new Set([...Object.keys(oldMembers), ...Object.keys(nowMembers)])) {
    const place = `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    yield* jsonDifferences(oldMembers[name], nowMembers[name], place)
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (Array.isArray(value)) return Object.fromEntries(value.entries())
  return isJsonObject(value) ? value : undefined
}

/** Compares the lines between the common beginning and the common end. */
function lineDifferences(old: string, now: string): Difference[] {
  const [oldLines, nowLines] = [old.split('\n'), now.split('\n')]
  let start = 0
  while (start < oldLines.length && start < nowLines.length && oldLines[start] === nowLines[start]) start += 1
  let same = 0
  while (
    same < Math.min(oldLines.length, nowLines.length) - start &&
    oldLines.at(-1 - same) === nowLines.at(-1 - same)
  )
    same += 1
  const [left, right] = [
    oldLines.slice(start, oldLines.length - same),
    nowLines.slice(start, nowLines.length - same),
  ]
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => ({
    at: `line ${start + index + 1}`,
    before: shown(left[index]),
    after: shown(right[index]),
  }))
}

function shown(value: unknown): string | null {
  if (value === undefined) return null
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text
}
