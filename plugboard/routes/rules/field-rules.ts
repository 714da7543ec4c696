// Checks the header fields and values that rules of a route may use. Rules cannot change fields that frame a message, end at a hop
// or are set by Plugboard, because that would break guarantees of the proxy.

import { FIELD, type Field, fieldOf, plainName } from '@vera-stack/shared/http/headers.ts'
import { z } from 'zod'

/** Fields that already have a meaning for a proxy or a backend, and prefixes that Plugboard uses. */
const TAKEN =
  /^(?:plugboard-|x-forwarded-|(?:forwarded|x-real-ip|cookie|authorization|accept|content-type|via)$)/i

/** A field that carries a value from Plugboard to the backend, and that clients cannot send. */
export const ownFieldName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'must have letters, digits and - only, and begin with a letter')
  .refine(name => fieldOf(name) === FIELD.other && !TAKEN.test(name), 'is a field with a meaning of its own')
  .meta({
    description:
      'Not a field with a meaning of its own, such as `Host`, `Cookie`, `Authorization`, `Forwarded` or `X-Forwarded-For`, ' +
      'and not one that another rule of the route uses.',
    example: 'X-User',
  })

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/
/** Plugboard adds its own line of Via behind the edits, and counts Max-Forwards before them. */
const EDITABLE: ReadonlySet<Field> = new Set([FIELD.other, FIELD.via, FIELD.maxForwards])
const NEVER = /^(?:plugboard-|x-forwarded-|forwarded$)/i

function editableProblem(name: string): string | undefined {
  if (!TOKEN.test(name)) return 'is not a field name'
  // An edit applies to all spellings of a field (access/edits/field-list.ts), so `Content_Length` would remove the framing.
  const plain = plainName(name)
  if (!EDITABLE.has(fieldOf(plain)) || /^proxy-/i.test(plain)) {
    return 'frames the message, ends at this hop or is set by Plugboard, and cannot be changed'
  }
  return NEVER.test(plain) ? 'is set by Plugboard and cannot be changed' : undefined
}

/** The form of a field name, for the keys of objects in the OpenAPI document. An object cannot have the key `__proto__`. */
export const FIELD_NAMES = {
  pattern: `^(?!__proto__$)${TOKEN.source.slice(1)}`,
  example: 'X-Robots-Tag',
} as const
/** The part of the rule for names that a pattern cannot state. */
export const EDITABLE_NAMES =
  'Names differ in more than their case. A field that frames the message, ends at this hop or is set by Plugboard cannot be ' +
  'changed.'

/** A field that an edit may name. */
export const editableFieldName = z
  .string()
  .superRefine((name, context) => {
    const problem = editableProblem(name)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
  .meta({ pattern: TOKEN.source, example: FIELD_NAMES.example, description: EDITABLE_NAMES })

/** The placeholders in values of edits, such as `{host}`. */
export const PLACEHOLDERS = ['clientAddress', 'host', 'requestId'] as const
export type Placeholder = (typeof PLACEHOLDERS)[number]

/** Visible ASCII, blanks within, and bytes past it (RFC 9110 section 5.5). */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

export const fieldValue = z
  .string()
  .max(4096)
  .regex(VALUE, 'is not a field value: remove line breaks, control characters, and blanks at its ends')
  .meta({ example: 'noindex' })

/** The same with `{clientAddress}`, `{host}` and `{requestId}` in it. */
export const fieldTemplate = fieldValue
  .superRefine((value, context) => {
    for (const [, name] of value.matchAll(/\{([A-Za-z]+)\}/g)) {
      if (PLACEHOLDERS.some(known => known === name)) continue
      const known = PLACEHOLDERS.map(each => `{${each}}`).join(', ')
      context.addIssue({ code: 'custom', message: `{${name}} is not a placeholder: use ${known}` })
    }
  })
  .meta({
    pattern: `^(?!.*\\{(?!(?:${PLACEHOLDERS.join('|')})\\})[A-Za-z]+\\})${VALUE.source.slice(1)}`,
    example: 'by {host}',
  })

/** Returns the first name of the same field as an earlier name. */
export function namedTwice(names: readonly string[]): string | undefined {
  const seen = new Set<string>()
  return names.find(name => seen.size === seen.add(name.toLowerCase()).size)
}
