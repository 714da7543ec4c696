// The CORS protocol (Fetch standard) of one route. Preflights get their response here, before credentials are checked, because
// browsers send preflights without credentials. In all other responses, the CORS fields of the route replace those of the
// backend.

import { equalsIgnoringCase, removeFieldsWhere } from '@vera-stack/shared/http/headers.ts'
import type { CorsRules } from '../../routes/rules/cors-rules.ts'
import type { RouteResponse } from '../access-decision.ts'
import { addToVary, soleValue } from './field-list.ts'

const DEFAULT_METHODS = ['PUT', 'PATCH', 'DELETE']
const DEFAULT_MAX_AGE_SECONDS = 600
/** A list of field names in the form that browsers send. Other values are not repeated in the response. */
const REQUESTED = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+(?: ?, ?[A-Za-z0-9!#$%&'*+.^_`|~-]+)*$/
const MAX_REQUESTED = 1024

export class Cors {
  readonly #exact: ReadonlySet<string>
  /** Patterns such as `https://*.example.com:8443`, as the texts before and after the `*`. */
  readonly #wildcards: readonly (readonly [before: string, after: string])[]
  readonly #any: boolean
  readonly #rules: CorsRules
  readonly #methods: string
  readonly #exposed: string

  constructor(rules: CorsRules) {
    this.#rules = rules
    this.#any = rules.origins.includes('*')
    this.#exact = new Set(rules.origins.filter(origin => !origin.includes('*')))
    this.#wildcards = rules.origins.flatMap(origin => {
      const star = origin.indexOf('://*.')
      return star === -1 ? [] : [[origin.slice(0, star + 3), origin.slice(star + 4)] as const]
    })
    this.#methods = (rules.methods ?? DEFAULT_METHODS).join(', ')
    this.#exposed = (rules.exposed ?? []).join(', ')
  }

  /** Returns the response to a preflight; undefined when the request is not a preflight. */
  preflight(method: string, fields: readonly string[]): RouteResponse | undefined {
    if (method !== 'OPTIONS') return undefined
    const origin = soleValue(fields, 'origin')
    const asked = soleValue(fields, 'access-control-request-method')
    if (typeof origin !== 'string' || typeof asked !== 'string') return undefined
    const response = this.#originFields(origin)
    if (response.length > 0) {
      response.push('Access-Control-Allow-Methods', this.#methods)
      const headers = this.#headers(soleValue(fields, 'access-control-request-headers') ?? undefined)
      if (headers !== '') response.push('Access-Control-Allow-Headers', headers)
      const { maxAgeSeconds = DEFAULT_MAX_AGE_SECONDS } = this.#rules
      response.push('Access-Control-Max-Age', String(maxAgeSeconds))
    }
    response.push('Vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers')
    return { status: 204, fields: response, body: Buffer.alloc(0), preflight: true }
  }

  /** Replaces the CORS fields of a response by those of this route, in place. */
  apply(fields: string[], origin: string | undefined): void {
    removeFieldsWhere(
      fields,
      name => name.length > 15 && equalsIgnoringCase(name.slice(0, 15), 'access-control-'),
    )
    if (!this.#sameForAll) addToVary(fields, 'Origin')
    if (origin === undefined) return
    const ours = this.#originFields(origin)
    if (ours.length > 0 && this.#exposed !== '') ours.push('Access-Control-Expose-Headers', this.#exposed)
    fields.push(...ours)
  }

  get #sameForAll(): boolean {
    return this.#any && this.#rules.credentials !== true
  }

  #originFields(origin: string): string[] {
    if (this.#sameForAll) return ['Access-Control-Allow-Origin', '*']
    if (!this.#allows(origin)) return []
    const fields = ['Access-Control-Allow-Origin', origin]
    if (this.#rules.credentials === true) fields.push('Access-Control-Allow-Credentials', 'true')
    return fields
  }

  #allows(origin: string): boolean {
    if (this.#exact.has(origin)) return true
    return this.#wildcards.some(([before, after]) => {
      if (!origin.startsWith(before) || !origin.endsWith(after)) return false
      const labels = origin.slice(before.length, origin.length - after.length)
      return origin.length > before.length + after.length && /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(labels)
    })
  }

  #headers(requested: string | undefined): string {
    const { headers } = this.#rules
    if (headers !== undefined) return headers.join(', ')
    if (requested === undefined || requested.length > MAX_REQUESTED) return ''
    return REQUESTED.test(requested) ? requested : ''
  }
}
