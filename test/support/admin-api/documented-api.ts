// The admin API of a running Plugboard, called as its OpenAPI document describes it. Each response is compared with the
// document.

import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { type JsonSchema, JsonSchemaReader } from './json-schema.ts'
import { OpenApiCheck } from './openapi-check.ts'

export interface DocumentedParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: JsonSchema
}

export interface DocumentedOperation {
  readonly method: string
  readonly path: string
  readonly operationId: string
  readonly parameters?: readonly DocumentedParameter[]
  readonly requestBody?: {
    readonly content: Readonly<Record<'application/json', { readonly schema: JsonSchema }>>
  }
  readonly responses: Readonly<Record<string, object>>
  readonly security: readonly object[]
}

interface OpenApiDocument {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, Omit<DocumentedOperation, 'method' | 'path'>>>>
  >
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

export interface DocumentedCall {
  /** With the parameters filled in. */
  readonly path: string
  /** Sent as JSON, unless it is bytes. */
  readonly body?: unknown
  /** Null: the field is omitted. */
  readonly headers?: Readonly<Record<string, string | string[] | null>>
}

export interface DocumentedResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
  /** The places that a problem names. */
  readonly culprits: readonly {
    readonly pointer?: string
    readonly parameter?: string
    readonly header?: string
    readonly detail: string
  }[]
  /** How the response differs from the document. */
  readonly problem: string | undefined
}

export class DocumentedApi {
  readonly operations: readonly DocumentedOperation[]
  readonly reader: JsonSchemaReader
  readonly #port: number
  readonly #key: string
  readonly #check: OpenApiCheck
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 })

  /** `example`: returns a value for a schema whose values depend on the time, by its description. */
  static async open(
    port: number,
    key: string,
    example: (description: string) => unknown = () => undefined,
  ): Promise<DocumentedApi> {
    const response = await fetch(`http://127.0.0.1:${port}/openapi.json`)
    const document: unknown = JSON.parse(await response.text(), (_, value: unknown) => {
      const found = isDescribed(value) ? example(value.description) : undefined
      return found === undefined ? value : { ...(value as object), example: found }
    })
    return new DocumentedApi(port, key, document as OpenApiDocument)
  }

  private constructor(port: number, key: string, document: OpenApiDocument) {
    this.#port = port
    this.#key = key
    this.#check = new OpenApiCheck(document)
    this.reader = new JsonSchemaReader(document.components.schemas)
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        ...operation,
        path,
        method: method.toUpperCase(),
      })),
    )
  }

  close(): void {
    this.#agent.destroy()
  }

  async call(
    { method, path: documented }: DocumentedOperation,
    call: DocumentedCall,
  ): Promise<DocumentedResponse> {
    const bytes =
      call.body === undefined || Buffer.isBuffer(call.body) ? call.body : JSON.stringify(call.body)
    const given = {
      authorization: `Bearer ${this.#key}`,
      'if-match': method === 'PATCH' || method === 'DELETE' ? '*' : null,
      'content-type': bytes === undefined ? null : 'application/json',
      ...call.headers,
    }
    const headers = Object.fromEntries(Object.entries(given).filter(entry => entry[1] !== null)) as Record<
      string,
      string
    >
    const { status, headers: received, text } = await this.#send(method, call.path, headers, bytes)
    const body: unknown =
      text === '' || !/json/.test(received['content-type'] ?? '') ? text || undefined : JSON.parse(text)
    const contentType = received['content-type']?.split(';')[0]
    // Node collects Set-Cookie in a list.
    const single = { ...received, 'set-cookie': received['set-cookie']?.join('\n') }
    const problem = this.#problemOf(method, documented, { status, contentType, body, headers: single })
    const culprits = (body as { errors?: DocumentedResponse['culprits'] } | undefined)?.errors ?? []
    return { status, headers: received, body, culprits, problem }
  }

  #problemOf(
    method: string,
    path: string,
    response: Parameters<OpenApiCheck['check']>[2],
  ): string | undefined {
    try {
      this.#check.check(method, path, response)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  #send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string | Buffer | undefined,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port: this.#port, method, path, headers, agent: this.#agent },
        async incoming => {
          try {
            // An event stream does not end by itself.
            if (incoming.headers['content-type']?.startsWith('text/event-stream') === true) {
              resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: 'events' })
              incoming.destroy()
              return
            }
            const chunks: Buffer[] = []
            for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
            const text = Buffer.concat(chunks).toString()
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text })
          } catch (error) {
            reject(error)
          }
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }
}

const isDescribed = (value: unknown): value is { readonly description: string } =>
  typeof value === 'object' &&
  value !== null &&
  'description' in value &&
  typeof value.description === 'string'
