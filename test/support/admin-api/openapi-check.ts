// Compares the responses of an API with its own OpenAPI 3.1 document: status, media type and body must match. zod checks the
// bodies with the JSON Schemas of the document.

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
  /** The parsed body; undefined without a body. */
  readonly body: unknown
  /** Absent: the header fields are not compared. */
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>
}

export class OpenApiCheck {
  readonly #document: OpenApiDocument
  readonly #definitions: Readonly<Record<string, JsonSchema>>
  readonly #compiled = new Map<JsonSchema, z.ZodType>()
  readonly #operations: readonly { readonly pattern: RegExp; readonly path: string }[]

  constructor(document: object) {
    // References stay within the document. zod resolves them under $defs.
    const text = JSON.stringify(document).replaceAll('#/components/schemas/', '#/$defs/')
    this.#document = JSON.parse(text) as OpenApiDocument
    this.#definitions = this.#document.components.schemas
    this.#operations = Object.keys(this.#document.paths).map(path => ({
      path,
      pattern: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$`),
    }))
  }

  /** Throws when the response to `method path` differs from the document. Ignores a path that is not in the document. */
  check(method: string, path: string, actual: ApiResponse): void {
    // A literal path wins over a path with parameters, as in the router.
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
      // zod would treat a reference as a URL.
      const reference = (header.schema as { format?: string }).format === 'uri-reference'
      if (text !== undefined && !(reference && URL.canParse(String(text), 'http://localhost')))
        this.#compare(`${where}: ${name}`, header.schema, value)
    }
    if (response.content === undefined) {
      if (actual.body !== undefined) throw new Error(`${where}: a body is not documented`)
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
