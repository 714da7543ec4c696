// The form of a replay, and the edits that result from it. Parts that a person did not change are not sent, so Plugboard leaves their masked values
// out.

import { isNotRepeated } from '@vera-stack/shared/inspect/replay/not-repeated.ts'
import { hasMask } from '@vera-stack/shared/masking/has-mask.ts'
import type { ExchangeBody, ReplayInput } from '../../../admin/api-types.ts'

export interface ReplayDraft {
  readonly method: string
  readonly target: string
  /** One field in each line, such as `Accept: text/html`. */
  readonly fields: string
  readonly body: string
  /** The only telephone that gets the request; empty: any of them. */
  readonly telephone: string
}

export type CheckedDraft =
  | { readonly kind: 'valid'; readonly edits: ReplayInput }
  | { readonly kind: 'invalid'; readonly problem: string }

/** Methods that read only. Other methods may have their effect twice. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])
export const isSafe = (method: string): boolean => SAFE.has(method)

export function draftOf({ received }: Pick<ExchangeBody, 'received'>): ReplayDraft {
  return {
    method: received.method,
    target: received.target,
    fields: editable(received).map(lineOf).join('\n'),
    body: lacksBody(received) ? '' : (received.body?.text ?? ''),
    telephone: '',
  }
}

/** True when the exchange lacks a part of the request body, so a person has to write it. */
export const lacksBody = ({ body }: ExchangeBody['received']): boolean =>
  body !== null && (body.text === null || body.isCut)

export function replayEdits({ received }: Pick<ExchangeBody, 'received'>, draft: ReplayDraft): CheckedDraft {
  const before = draftOf({ received })
  const fields = changedFields(editable(received), draft.fields)
  if (typeof fields === 'string') return { kind: 'invalid', problem: fields }
  const body = draft.body === '' ? null : draft.body
  const edits: ReplayInput = {
    ...(draft.method === before.method ? {} : { method: draft.method }),
    ...(draft.target === before.target ? {} : { target: draft.target }),
    ...(Object.keys(fields).length === 0 ? {} : { fields }),
    ...(draft.body === before.body && !lacksBody(received) ? {} : { body }),
    ...(draft.telephone === '' ? {} : { telephone: draft.telephone }),
  }
  const masked = [edits.target, edits.body, ...Object.values(fields)].some(text => text && hasMask(text))
  if (masked)
    return {
      kind: 'invalid',
      problem: 'A part that you have changed still has a masked value (***). Write the value itself.',
    }
  return { kind: 'valid', edits }
}

type Pair = readonly [name: string, value: string]
const lineOf = ([name, value]: Pair): string => `${name}: ${value}`

const editable = ({ fields }: ExchangeBody['received']): readonly Pair[] =>
  fields.filter(([name]) => !isNotRepeated(name.toLowerCase()))

/** Returns the fields to set, null for those to remove; or the problem of a line. */
function changedFields(old: readonly Pair[], text: string): Record<string, string | null> | string {
  const now: Pair[] = []
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const colon = line.indexOf(':')
    if (colon <= 0) return `This line is not a field: "${line}". Write a name, a colon and a value.`
    now.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()])
  }
  const [before, after] = [byName(old), byName(now)]
  const changed: Record<string, string | null> = {}
  for (const [key, lines] of after) {
    if (before.get(key)?.join('\n') === lines.join('\n')) continue
    const [only, second] = now.filter(([name]) => name.toLowerCase() === key)
    if (second !== undefined)
      return `The field ${second[0]} occurs more than once. Write its values in one line.`
    if (only !== undefined) changed[only[0]] = only[1]
  }
  for (const [name] of old) if (!after.has(name.toLowerCase())) changed[name] = null
  return changed
}

/** Returns the values by the name in lower case. */
function byName(pairs: readonly Pair[]): Map<string, string[]> {
  const values = new Map<string, string[]>()
  for (const [name, value] of pairs) {
    const key = name.toLowerCase()
    values.set(key, [...(values.get(key) ?? []), value.trim()])
  }
  return values
}
