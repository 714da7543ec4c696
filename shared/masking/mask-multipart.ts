// Masks a form with several parts (RFC 7578). Parts with text are masked by their name and their type. The content of files and of
// parts with other types is left out.

import { type FieldPairs, fieldValue } from './field-pairs.ts'
import { maskFields } from './mask-fields.ts'
import type { PairMasking } from './mask-pairs.ts'
import { isSecretParameter } from './secret-names.ts'

const BOUNDARY = /;\s{0,16}boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i
const MAX_PARTS = 200
const NAME = /[;\s]name=(?:"([^"]*)"|([^\s;]+))/i
const FILE = /[;\s]filename\*?=/i
const HEAD_END = '\r\n\r\n'

export interface MultipartMasking extends PairMasking {
  /** Masks the content of a part by its type; undefined: it cannot be masked. */
  readonly maskContent: (type: string, content: Buffer) => string | undefined
}

export interface MaskedMultipart {
  readonly text: string
  /** False when a part is left out, or when the end is missing. */
  readonly isComplete: boolean
}

/** Returns undefined when the bytes are not a form with the boundary of `contentType`. They may be cut. */
export function maskMultipart(
  contentType: string,
  bytes: Buffer,
  masking: MultipartMasking,
): MaskedMultipart | undefined {
  const [, quoted, plain] = BOUNDARY.exec(contentType) ?? []
  const boundary = quoted ?? plain
  if (boundary === undefined) return undefined
  const delimiter = `--${boundary}`
  if (bytes.indexOf(delimiter) !== 0) return undefined
  let text = delimiter
  let isComplete = true
  let at = delimiter.length
  for (let parts = 0; parts < MAX_PARTS; parts += 1) {
    if (bytes.subarray(at, at + 2).toString('latin1') === '--') return { text: `${text}--\r\n`, isComplete }
    const next = bytes.indexOf(`\r\n${delimiter}`, at)
    const part = maskPart(bytes.subarray(at + 2, next === -1 ? bytes.length : next), masking)
    text += `\r\n${part.text}`
    isComplete &&= part.isComplete
    if (next === -1) return { text, isComplete: false }
    text += `\r\n${delimiter}`
    at = next + 2 + delimiter.length
  }
  return { text, isComplete: false }
}

function maskPart(part: Buffer, masking: MultipartMasking): MaskedMultipart {
  const end = part.indexOf(HEAD_END)
  if (end === -1) return { text: '', isComplete: false }
  const lines = part.subarray(0, end).toString('utf8').split('\r\n')
  const fields = lines.flatMap(line => {
    const colon = line.indexOf(':')
    return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()] as const]
  })
  const head = maskFields(fields.flat(), masking)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\r\n')
  const content = part.subarray(end + HEAD_END.length)
  const masked = maskContent(fields, content, masking)
  return masked === undefined
    ? { text: `${head}${HEAD_END}[${content.length} bytes are left out]`, isComplete: false }
    : { text: `${head}${HEAD_END}${masked}`, isComplete: true }
}

function maskContent(fields: FieldPairs, content: Buffer, masking: MultipartMasking): string | undefined {
  const disposition = fieldValue(fields, 'content-disposition') ?? ''
  const [, quoted, plain] = NAME.exec(disposition) ?? []
  if (isSecretParameter(quoted ?? plain ?? '')) return masking.mask(content.toString('utf8'))
  if (FILE.test(disposition)) return undefined
  return masking.maskContent(fieldValue(fields, 'content-type') ?? 'text/plain', content)
}
