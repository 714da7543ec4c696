// Masks the first bytes of a body by its type. Bodies in which secrets cannot be found are left out: files, images, unknown types and
// charsets, and the part of JSON from its first malformed character on.

import { decodeBody } from './body-decoding.ts'
import { type JsonMasking, type JsonPath, maskJson } from './mask-json.ts'
import { maskMultipart } from './mask-multipart.ts'
import { maskPairs, type PairMasking } from './mask-pairs.ts'
import { maskHtml, maskText } from './mask-text.ts'
import type { MaskValue } from './value-mask.ts'

/** Why the content of a body is missing. */
export const OMISSIONS = ['type', 'charset', 'encoding', 'malformed', 'memory', 'rate', 'stream'] as const
export type Omission = (typeof OMISSIONS)[number]

export interface MaskedBody {
  /** Undefined: the content is left out. */
  readonly text: string | undefined
  /** True when the text lacks a part of the body. */
  readonly isCut: boolean
  /** Why the content, or the rest of it, is left out; undefined: the content is complete, or was only too long. */
  readonly omitted: Omission | undefined
}

/** The bytes of a body that were captured. */
export interface CapturedBytes {
  readonly bytes: Buffer
  /** True when the body has more bytes. */
  readonly isCut: boolean
  readonly contentType: string
  /** The value of Content-Encoding; empty: none. */
  readonly contentEncoding: string
}

const TEXT =
  /^(?:text\/(?:plain|xml|css|javascript|markdown|x-yaml|yaml)|application\/(?:(?:[\w.-]+\+)?xml|(?:x-)?javascript|ecmascript|graphql|(?:x-)?yaml))$/
const JSON_TYPE =
  /^(?:application\/(?:[\w.-]+\+)?json|text\/json|application\/(?:x-)?(?:ndjson|json-seq|jsonlines))$/
/** The beginning of a JSON text with members or elements. */
const JSON_START = /^\s{0,8}[[{]/
const FORM = 'application/x-www-form-urlencoded'
const MULTIPART = 'multipart/form-data'
const CHARSET = /;\s{0,16}charset="?([\w-]{1,40})/i
/** JSON within a string within JSON; a deeper one is masked as a whole. */
const MAX_NESTING = 3

export class BodyMasker implements PairMasking {
  readonly mask: MaskValue
  readonly #paths: readonly JsonPath[]
  #nesting = 0

  constructor(mask: MaskValue, paths: readonly JsonPath[]) {
    this.mask = mask
    this.#paths = paths
  }

  /** Resolves with the masked body. `maxBytes`: of the decoded body. Never rejects. */
  async body(captured: CapturedBytes, maxBytes: number): Promise<MaskedBody> {
    const coding = captured.contentEncoding.trim().toLowerCase()
    if (coding === '' || coding === 'identity') return this.#masked(captured)
    const decoded = await decodeBody(coding, captured.bytes, maxBytes)
    if (decoded === undefined) return leftOut('encoding')
    const { bytes, isCut } = decoded
    const masked = this.#masked({ ...captured, bytes, isCut: isCut || captured.isCut })
    bytes.fill(0)
    return masked
  }

  /** Masks the secrets of a string, which may be JSON or a URL itself. */
  readonly maskString = (text: string): string => {
    if (JSON_START.test(text)) {
      if (this.#nesting >= MAX_NESTING) return this.mask(text)
      this.#nesting += 1
      const { text: masked, isComplete } = maskJson(text, this.#json([]))
      this.#nesting -= 1
      if (isComplete) return masked
    }
    return maskText(text, this.mask)
  }

  #json(paths: readonly JsonPath[]): JsonMasking {
    return { mask: this.mask, paths, maskString: this.maskString }
  }

  #masked({ bytes, isCut, contentType }: Omit<CapturedBytes, 'contentEncoding'>): MaskedBody {
    const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
    const kind = kindOf(type)
    if (kind === undefined) return leftOut('type')
    if (kind === 'multipart') return this.#multipart(contentType, bytes, isCut)
    const text = this.#decoded(bytes, contentType)
    if (text === undefined) return leftOut(type === '' ? 'type' : 'charset')
    if (kind === 'json' || (kind === 'unknown' && JSON_START.test(text))) {
      const json = maskJson(text, this.#json(this.#paths))
      const isBroken = !json.isComplete && !isCut
      return { text: json.text, isCut: isCut || isBroken, omitted: isBroken ? 'malformed' : undefined }
    }
    if (kind === 'form') return { text: maskPairs(text, this), isCut, omitted: undefined }
    if (kind === 'html') return { text: maskHtml(text, this.mask), isCut, omitted: undefined }
    return { text: this.maskString(text), isCut, omitted: undefined }
  }

  #multipart(contentType: string, bytes: Buffer, isCut: boolean): MaskedBody {
    const form = maskMultipart(contentType, bytes, {
      mask: this.mask,
      maskString: this.maskString,
      maskContent: (type, content) => {
        const { text, isCut: isPart } = this.#masked({ bytes: content, isCut: false, contentType: type })
        return isPart ? undefined : text
      },
    })
    if (form === undefined) return leftOut('malformed')
    return { text: form.text, isCut: isCut || !form.isComplete, omitted: undefined }
  }

  /** Returns undefined for a charset that is not supported, and for bytes that are not text. */
  #decoded(bytes: Buffer, contentType: string): string | undefined {
    const charset = CHARSET.exec(contentType)?.[1]?.toLowerCase() ?? 'utf-8'
    if (charset === 'iso-8859-1' || charset === 'latin1') return bytes.toString('latin1')
    if (charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') return undefined
    try {
      // `stream`: a character that was cut at the end is left out.
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    } catch {
      return undefined
    }
  }
}

type Kind = 'json' | 'form' | 'multipart' | 'html' | 'text' | 'unknown'

/** Returns undefined for a type whose secrets cannot be found. */
function kindOf(type: string): Kind | undefined {
  if (type === '') return 'unknown'
  if (type === MULTIPART) return 'multipart'
  if (type === FORM) return 'form'
  if (JSON_TYPE.test(type)) return 'json'
  if (type === 'text/html' || type === 'application/xhtml+xml') return 'html'
  return TEXT.test(type) ? 'text' : undefined
}

function leftOut(omitted: Omission): MaskedBody {
  return { text: undefined, isCut: true, omitted }
}
