// A document as YAML text. The text is the one model of the editor: the form reads its values from the text, and writes them into it. So
// comments stay, except those of a value that the form removes.

import type * as Yaml from 'yaml'

export type { Yaml }
export type DocumentPath = readonly string[]

export type ReadText =
  | { readonly kind: 'document'; readonly value: object }
  | { readonly kind: 'problem'; readonly message: string }

export function readText(text: string, yaml: typeof Yaml): ReadText {
  const document = yaml.parseDocument(text)
  const [error] = document.errors
  if (error !== undefined) return { kind: 'problem', message: error.message }
  const value: unknown = document.toJS()
  if (value !== null && value !== undefined && (typeof value !== 'object' || Array.isArray(value)))
    return { kind: 'problem', message: 'Write keys with values, such as "retries: 2".' }
  return { kind: 'document', value: value ?? {} }
}

export const textOf = (document: object, yaml: typeof Yaml): string =>
  Object.keys(document).length === 0 ? '' : yaml.stringify(document)

/** Returns the value at a path; undefined when the document has no such path. */
export function valueAt(document: object, path: DocumentPath): unknown {
  let value: unknown = document
  for (const name of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** Returns the text with another value at a path. `value`: undefined removes it, and the objects that are empty without it. */
export function withValue(text: string, path: DocumentPath, value: unknown, yaml: typeof Yaml): string {
  const document = yaml.parseDocument(text)
  if (value === undefined) removeValue(document, path, yaml)
  else {
    for (let length = 1; length < path.length; length += 1) {
      const parent = path.slice(0, length)
      if (!yaml.isMap(document.getIn(parent, true))) document.setIn(parent, document.createNode({}))
    }
    // A scalar in the place of a scalar keeps its comment.
    document.setIn(path, typeof value === 'object' ? document.createNode(value) : value)
  }
  return String(document)
}

/** The first level stays: an empty object of it means that no key is set. */
function removeValue(document: Yaml.Document, path: DocumentPath, yaml: typeof Yaml): void {
  if (!document.hasIn(path)) return
  document.deleteIn(path)
  for (let length = path.length - 1; length > 1; length -= 1) {
    const parent = document.getIn(path.slice(0, length), true)
    if (!yaml.isMap(parent) || parent.items.length > 0) return
    document.deleteIn(path.slice(0, length))
  }
}
