// The difference that a bundle makes, as lines for people: one for each service and route, then the counts.

import { isDeepStrictEqual } from 'node:util'
import { printable } from '@vera-stack/shared/text/printable.ts'
import type { BundleItem, BundleResultBody } from '../../admin/api-types.ts'
import { maskedPasswords } from '../../common/passwords/masked-passwords.ts'
import { useOf } from '../words.ts'

type JsonObject = Readonly<Record<string, unknown>>
type Row = NonNullable<BundleItem['after']>

/** Returns `+ service shop`, `~ route a.test: service shop → cart, stripMount true → default`, `- route b.test → old`. */
export function itemText({ action, entity, name, before, after }: BundleItem): string {
  // Names and values come from others, and must not control the terminal.
  return printable(textOf(action, `${entity} ${name}`, before, after), '�')
}

function textOf(
  action: BundleItem['action'],
  subject: string,
  before: Row | null,
  after: Row | null,
): string {
  if (action === 'created') return `+ ${subject}${destinationOf(after)}`
  if (action === 'deleted') return `- ${subject}${destinationOf(before)}`
  const [old, now] = [serviceOf(before), serviceOf(after)]
  const parts = old === now ? [] : [`service ${useOf(old)} → ${useOf(now)}`]
  return `~ ${subject}: ${[...parts, ...differences(settingsOf(before), settingsOf(after))].join(', ')}`
}

const destinationOf = (row: Row | null): string =>
  row !== null && 'mount' in row ? ` → ${useOf(row.service)}` : ''

const serviceOf = (row: Row | null): string | null => (row !== null && 'mount' in row ? row.service : null)

function settingsOf(row: Row | null): JsonObject {
  if (row === null) return {}
  return 'mount' in row ? row.options : row.policy
}

function differences(before: JsonObject, after: JsonObject): string[] {
  const text = (value: unknown): string =>
    value === undefined ? 'default' : JSON.stringify(maskedPasswords(value))
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter(key => !isDeepStrictEqual(before[key], after[key]))
    .map(key => `${key} ${text(before[key])} → ${text(after[key])}`)
}

/** Returns the number of services and routes that differ. */
export function countOf({ services, routes }: Pick<BundleResultBody, 'services' | 'routes'>): number {
  return [services, routes].reduce(
    (sum, { created, changed, deleted }) => sum + created + changed + deleted,
    0,
  )
}

export const countText = (count: number): string => `${count} ${count === 1 ? 'change' : 'changes'}`
