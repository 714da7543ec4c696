// Holds the answers of an API against its own OpenAPI 3.1 document: status, media type and body must be as the
// document says. Bodies are read with zod, from the document's JSON Schemas.

import { z } from 'zod'

interface MediaType {
  readonly schema: JsonSchema
}
interface DocumentedHeader {
  readonly required?: boolean
  readonly schema: JsonSchema
}
interface Operation {
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly headers?: Readonly<Record<string, DocumentedHeader>>
        readonly content?: Readonly<Record<string, MediaType>>
      }
    >
  >
}
interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}
type JsonSchema = Parameters<typeof z.fromJSONSchema>[0]

export interface ApiResponse {
  readonly status: number
  readonly contentType: string | undefined
  /** Parsed; undefined for none. */
  readonly body: unknown
  /** Absent: they are not compared. */
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>
}

export class OpenApiCheck {
  readonly #document: OpenApiDocument
  readonly #definitions: Readonly<Record<string, JsonSchema>>
  readonly #compiled = new Map<JsonSchema, z.ZodType>()
  readonly #operations: readonly { readonly pattern: RegExp; readonly path: string }[]

  constructor(document: object) {
    // References stay within the document; zod looks for them under $defs.
    const text = JSON.stringify(document).replaceAll('#/components/schemas/', '#/$defs/')
    this.#document = JSON.parse(text) as OpenApiDocument
    this.#definitions = this.#document.components.schemas
    this.#operations = Object.keys(this.#document.paths).map(path => ({
      path,
      pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$`),
    }))
  }

  /** Throws when the answer to `method path` is not as documented. A path that is not there is left alone. */
  check(method: string, path: string, actual: ApiResponse): void {
    // A literal path wins over one with parameters, as it does in the router.
    const found = this.#operations.filter(({ pattern }) => pattern.test(path))
    const entry = found.find(operation => !operation.path.includes('{')) ?? found[0]
    const operation = entry && this.#document.paths[entry.path]?.[method.toLowerCase()]
    if (operation === undefined) return
    const where = `${method} ${entry?.path} → ${actual.status}`
    const response = operation.responses[actual.status]
    if (response === undefined) throw new Error(`${where}: the status is not documented`)
    for (const [name, header] of Object.entries(
      actual.headers === undefined ? {} : (response.headers ?? {}),
    )) {
      const text = actual.headers?.[name.toLowerCase()]
      if (text === undefined && header.required === true) throw new Error(`${where}: ${name} is missing`)
      const value = (header.schema as { type?: string }).type === 'integer' ? Number(text) : text
      // zod takes a reference for a URL.
      const reference = (header.schema as { format?: string }).format === 'uri-reference'
      if (text !== undefined && !(reference && URL.canParse(String(text), 'http://localhost')))
        this.#compare(`${where}: ${name}`, header.schema, value)
    }
    if (response.content === undefined) {
      if (actual.body !== undefined) throw new Error(`${where}: a body that is not documented`)
      return
    }
    const schema = response.content[actual.contentType ?? '']?.schema
    if (schema === undefined) throw new Error(`${where}: ${actual.contentType} is not documented`)
    this.#compare(where, schema, actual.body)
  }

  #compare(where: string, schema: JsonSchema, value: unknown): void {
    let compiled = this.#compiled.get(schema)
    if (compiled === undefined) {
      compiled = z.fromJSONSchema({ ...(schema as object), $defs: this.#definitions } as JsonSchema)
      this.#compiled.set(schema, compiled)
    }
    const parsed = compiled.safeParse(value)
    if (!parsed.success) throw new Error(`${where}: ${z.prettifyError(parsed.error)}`)
  }
}
