// Reads settings from a YAML file. Every problem names its line.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { secretFileProblem } from '../process/secret-file.ts'
import { plainIssues } from '../schema/issue-text.ts'
import { nameOf, type SettingsTable } from './row.ts'
import type { Reading, SettingCandidate, SettingProblem } from './source.ts'
import { didYouMean } from './suggest.ts'

/** Reads the file. `path` is the text of the user, and problems name the file by it. */
export function readSettingsFile(table: SettingsTable, path: string, cwd: string): Reading {
  let text: string
  try {
    text = readFileSync(resolve(cwd, path), 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error)
    return { candidates: [], problems: [{ source: path, detail: `the file cannot be read (${reason})` }] }
  }
  const reading = parseSettingsFile(table, text, path, dirname(resolve(cwd, path)))
  const holdsSecret = reading.candidates.some(({ key }) => table[key]?.secret === true)
  const exposed = holdsSecret ? secretFileProblem(resolve(cwd, path)) : undefined
  return exposed === undefined ? reading : { ...reading, warnings: [{ source: path, detail: exposed }] }
}

export function parseSettingsFile(table: SettingsTable, text: string, path: string, folder: string): Reading {
  const lines = new LineCounter()
  const at = (offset: number | undefined): string =>
    offset === undefined ? path : `${path}:${lines.linePos(offset).line}`
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const problems: SettingProblem[] = [...document.errors, ...document.warnings].map(error => ({
    source: at(error.pos[0]),
    detail: `not valid YAML: ${error.message}`,
  }))
  if (problems.length > 0 || document.contents === null) return { candidates: [], problems }
  if (!isMap(document.contents)) {
    const detail = 'the file must hold settings, one "key: value" per line'
    return { candidates: [], problems: [{ source: at(document.contents.range?.[0]), detail }] }
  }

  const keys = new Map(Object.entries(table).map(([key, row]) => [nameOf(key, row), key]))
  const candidates: SettingCandidate[] = []
  for (const { key: keyNode, value: valueNode } of document.contents.items) {
    const name = isScalar(keyNode) ? String(keyNode.value) : String(keyNode)
    const label = at(isNode(keyNode) ? keyNode.range?.[0] : undefined)
    const key = keys.get(name)
    if (key === undefined) {
      problems.push({ source: label, detail: `unknown key "${name}"${didYouMean(name, [...keys.keys()])}` })
      continue
    }
    const raw: unknown = isNode(valueNode) ? valueNode.toJS(document) : valueNode
    if (raw === null || raw === undefined) {
      problems.push({ source: label, detail: `${name} has no value: give it one or remove the line` })
      continue
    }
    const source = { kind: 'file', label } as const
    const schema = table[key]?.schema
    if (schema === undefined) {
      candidates.push({ key, raw, source, folder })
      continue
    }
    const checked = schema.safeParse(raw)
    if (checked.success) candidates.push({ key, raw: checked.data, source, folder, parsed: true })
    else problems.push(...schemaProblems(checked.error, schema, document, name, at))
  }
  return { candidates, problems }
}

function schemaProblems(
  error: z.ZodError,
  schema: z.ZodType,
  document: Document,
  name: string,
  at: (offset: number | undefined) => string,
): SettingProblem[] {
  const locate = (path: readonly PropertyKey[]): string => {
    // A missing key has no position. The nearest position is that of its parent.
    for (let length = path.length; length >= 0; length -= 1) {
      const node = document.getIn([name, ...path.slice(0, length)], true)
      if (isNode(node) && node.range) return at(node.range[0])
    }
    return at(undefined)
  }
  return plainIssues(error.issues).map(({ path, text, isUnknownKey }) => {
    const source = locate(path)
    if (!isUnknownKey) return { source, detail: `${pathText(name, path)}: ${text}` }
    const [parent, key] = [path.slice(0, -1), String(path.at(-1))]
    const hint = didYouMean(key, keysAt(schema, parent))
    return { source, detail: `${pathText(name, parent)}: unknown key "${key}"${hint}` }
  })
}

/** Returns text such as `services[0].target`. */
function pathText(name: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${String(part)}`),
    name,
  )
}

/** Returns the keys that the schema allows at `path`. The list is empty when the schema there is not an object. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable) {
    return keysAt(schema.def.innerType, path)
  }
  if (schema instanceof z.ZodPipe) return keysAt(schema.def.in, path)
  const [first, ...rest] = path
  if (schema instanceof z.ZodObject) {
    if (first === undefined) return Object.keys(schema.shape)
    const inner: z.core.$ZodType | undefined = schema.shape[String(first)]
    return inner === undefined ? [] : keysAt(inner, rest)
  }
  return schema instanceof z.ZodArray && typeof first === 'number' ? keysAt(schema.def.element, rest) : []
}
