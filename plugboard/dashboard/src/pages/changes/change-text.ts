// A change of a row in one sentence.

import type { ChangeBody } from '../../../../admin/api-types.ts'

const KINDS: Readonly<Record<ChangeBody['entity'], string>> = {
  route: 'route',
  service: 'service',
  token: 'token',
  signing_key: 'signing key',
  admin_key: 'API key',
  inspection: 'inspection of',
  process_override: 'override of process',
}

/** Returns the name of the row. A route is named by its mount. */
export function rowName({ before, after, entityId }: ChangeBody): string {
  const row = (after ?? before ?? {}) as Readonly<Record<string, unknown>>
  const name = row.mount ?? row.name ?? row.kid ?? row.telephone
  return typeof name === 'string' ? name : entityId
}

export function changeText(change: ChangeBody): string {
  return `${KINDS[change.entity]} ${rowName(change)} ${change.action}`
}

/** A changed field of a row, as a line of text: the old value, or the new one. */
export interface DiffLine {
  readonly kind: 'removed' | 'added'
  readonly text: string
}

/** Fields that change with each write. */
const ALWAYS: ReadonlySet<string> = new Set(['version', 'updatedAt', 'updated_at'])

export function diffOf(before: object | null, after: object | null): DiffLine[] {
  const olds = flattened(before)
  const news = flattened(after)
  const names = [...new Set([...olds.keys(), ...news.keys()])].filter(name => !ALWAYS.has(name)).sort()
  return names.flatMap(name => {
    const [old, now] = [olds.get(name), news.get(name)]
    if (old === now) return []
    const lines: DiffLine[] = []
    if (old !== undefined) lines.push({ kind: 'removed', text: `- ${name}: ${old}` })
    if (now !== undefined) lines.push({ kind: 'added', text: `+ ${name}: ${now}` })
    return lines
  })
}

/** Returns the values of a document by their path, as JSON. A list of plain values is one value. */
function flattened(value: object | null, prefix = ''): Map<string, string> {
  const found = new Map<string, string>()
  for (const [name, part] of Object.entries(value ?? {})) {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const members = Array.isArray(part) ? membersOf(part) : part
    if (isObject(members) && Object.keys(members).length > 0) {
      for (const [inner, text] of flattened(members, path)) found.set(inner, text)
    } else if (part !== null && part !== undefined) found.set(path, JSON.stringify(part))
  }
  return found
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Returns a list of objects by their names, such as the limits of a policy; without names by their numbers. Undefined: another list. */
function membersOf(list: readonly unknown[]): object | undefined {
  if (list.length === 0 || !list.every(isObject)) return undefined
  const names = list.map(each => (each as { readonly name?: unknown }).name)
  const isNamed = names.every(name => typeof name === 'string') && new Set(names).size === names.length
  return Object.fromEntries(list.map((each, index) => [isNamed ? names[index] : String(index + 1), each]))
}

/** Returns a value of a row as text. */
export const valueText = (value: unknown): string =>
  value === undefined || value === null ? 'unset' : typeof value === 'string' ? value : JSON.stringify(value)
