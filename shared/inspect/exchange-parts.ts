// Reads the parts of a captured exchange that its exports and its replay share, and leaves masked values out of a request.

import { fieldValue } from '../masking/field-pairs.ts'
import { hasMask } from '../masking/has-mask.ts'
import type { CapturedExchange } from './captured-exchange.ts'

/** Returns the URL of the request as its client has sent it. */
export function urlOf({ scheme, request, received }: CapturedExchange): string {
  if (!received.target.startsWith('/')) return received.target
  return `${scheme}://${fieldValue(received.fields, 'host') ?? request.host}${received.target}`
}

export interface UnmaskedTarget {
  readonly target: string
  /** The names of the parameters that are left out. */
  readonly leftOut: readonly string[]
}

/** Returns the target without masked parameters; undefined when the path itself has a masked part. */
export function unmaskedTarget(target: string): UnmaskedTarget | undefined {
  const question = target.indexOf('?')
  const path = question === -1 ? target : target.slice(0, question)
  if (hasMask(path)) return undefined
  if (question === -1) return { target, leftOut: [] }
  const { text, leftOut } = unmaskedPairs(target.slice(question + 1))
  return { target: text === '' ? path : `${path}?${text}`, leftOut }
}

export function unmaskedPairs(pairs: string): { readonly text: string; readonly leftOut: readonly string[] } {
  const all = pairs.split(/[&;]/)
  const masked = all.filter(hasMask)
  return {
    text: masked.length === 0 ? pairs : all.filter(pair => !hasMask(pair)).join('&'),
    leftOut: masked.map(pair => pair.split('=', 1)[0] ?? ''),
  }
}
