// The edits of a route to a list of fields: remove, then set, then add. Names in `set` and `remove` match every spelling of the
// field, because a backend may read `X_Role` as `X-Role`.

import { PLACEHOLDERS, type Placeholder } from '../../routes/rules/field-rules.ts'
import type { HeaderEditRules } from '../../routes/rules/header-rules.ts'
import { FieldNames } from './field-list.ts'

/** The values of placeholders. They were validated before, so they contain no line breaks. */
export type TemplateValues = Readonly<Record<Placeholder, string>>

/** A value as the text between its placeholders: `['by ', 'host', '']`. */
type Template = readonly string[]

const PLACEHOLDER = new RegExp(`\\{(${PLACEHOLDERS.join('|')})\\}`)

export class HeaderEdits {
  readonly #removed: FieldNames
  readonly #fields: readonly (readonly [name: string, value: Template])[]

  constructor({ remove = [], set = {}, add = {} }: HeaderEditRules) {
    this.#removed = new FieldNames([...remove, ...Object.keys(set)])
    const added = Object.entries(add).flatMap(([name, value]) =>
      (typeof value === 'string' ? [value] : value).map(each => [name, each] as const),
    )
    this.#fields = [...Object.entries(set), ...added].map(
      ([name, value]) => [name, templateOf(value)] as const,
    )
  }

  /** Edits a list of fields in place. */
  apply(fields: string[], values: TemplateValues): void {
    this.#removed.removeFrom(fields)
    for (const [name, template] of this.#fields) fields.push(name, filled(template, values))
  }
}

function templateOf(value: string): Template {
  return value.split(PLACEHOLDER)
}

function filled(template: Template, values: TemplateValues): string {
  if (template.length === 1) return template[0] as string
  return template.map((part, index) => (index % 2 === 0 ? part : values[part as Placeholder])).join('')
}
