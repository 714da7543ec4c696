// Renders one change of the log as one line of text: the row, the action, and each changed value with its path. It uses the rows
// that the API sends, and does not depend on a command.

import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { printable } from '@vera-stack/shared/text/printable.ts'
import type { ChangeBody } from '../../../admin/api-types.ts'
import { useOf } from '../../words.ts'

type Json = Readonly<Record<string, unknown>>

/** Keys that every change modifies, and keys whose content is shown as `mount` and `service`. */
const QUIET: ReadonlySet<string> = new Set([
  'version',
  'updatedAt',
  'lastSeenAt',
  'lastUsedAt',
  'serviceId',
  'host',
  'mountPath',
])
/** Characters of one shown value. */
const MAX_VALUE = 120
/** Differences that one line shows. */
const MAX_DIFFERENCES = 20

/** Returns `route app.localhost/api updated: service shop → shop-v2, options.stripMount unset → true`. */
export function changeText(change: ChangeBody): string {
  // Names and values come from others, and must not control the terminal.
  return printable(textOf(change), '�')
}

function textOf({ entity, entityId, action, before, after }: ChangeBody): string {
  const row = after ?? before ?? {}
  if (entity === 'inspection') return inspectionText(row)
  if (entity === 'process_override') return overrideText(action, row)
  const subject = `${entity} ${nameOf(row, entityId)}`
  if (action === 'created' && entity === 'route') {
    return `${subject} → ${useOf(typeof row.service === 'string' ? row.service : null)} created`
  }
  if (action !== 'updated' || before === null || after === null) return `${subject} ${action}`
  const all = [...differences(before, after, '')]
  const shown = all.slice(0, MAX_DIFFERENCES)
  if (all.length > shown.length) shown.push(`${all.length - shown.length} more`)
  const text = shown.length === 0 ? '' : `: ${shown.join(', ')}`
  return `${entity} ${nameOf(before, entityId)} ${action}${text}`
}

function inspectionText({ service, kind, exchange }: Json): string {
  return kind === 'replay' ? `exchange ${exchange} of ${service} replayed` : `exchanges of ${service} read`
}

/** Returns `process laptop of shop drained by ana`. */
function overrideText(action: ChangeBody['action'], row: Json): string {
  const process = `process ${row.telephone} of ${row.service}`
  if (action === 'deleted') return `${process} resumed`
  const parts = [
    row.weight === 0 ? 'drained' : typeof row.weight === 'number' ? `weight set to ${row.weight}` : [],
    typeof row.ejectedUntil === 'string' ? `ejected until ${row.ejectedUntil}` : [],
  ].flat()
  const reason = typeof row.reason === 'string' ? ` (${row.reason})` : ''
  return `${process} ${parts.join(', ')} by ${row.setBy}${reason}`
}

function nameOf({ mount, name }: Json, entityId: string): string {
  if (typeof mount === 'string') return mount
  return typeof name === 'string' ? name : entityId
}

function* differences(before: Json, after: Json, path: string): Generator<string> {
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (path === '' && QUIET.has(key)) continue
    const [old, now] = [before[key], after[key]]
    if (JSON.stringify(old) === JSON.stringify(now)) continue
    if (isObject(old) && isObject(now)) yield* differences(old, now, `${path}${key}.`)
    else yield `${path}${key} ${valueText(old)} → ${valueText(now)}`
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function valueText(value: unknown): string {
  if (value === undefined || value === null) return 'unset'
  return cutText(typeof value === 'string' ? value : JSON.stringify(value), MAX_VALUE)
}
