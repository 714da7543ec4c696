// The client of the admin API for the command line: single requests, pages, the event stream, and errors as texts.

import { randomUUID } from 'node:crypto'
import { MAX_DETAIL } from '@vera-stack/shared/errors.ts'
import { cutText } from '@vera-stack/shared/text/cut-text.ts'
import { CliError } from '../cli-error.ts'

export interface ApiResponse<Body> {
  readonly body: Body
  readonly etag: string | undefined
}

export interface ApiRequest {
  /** A list becomes one parameter for each entry. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  readonly body?: unknown
  /** JSON that is compressed with gzip, in the place of `body`. */
  readonly compressed?: ReadableStream<Uint8Array>
  readonly ifMatch?: string
  /** Default 30 s. */
  readonly timeoutMs?: number
  /** True for a creation: after a lost connection, the client sends it again with the same Idempotency-Key. */
  readonly once?: boolean
}

interface Problem {
  readonly code?: string
  readonly title?: string
  readonly detail?: string
  readonly errors?: readonly Culprit[]
}

/** A wrong field of a request: a JSON pointer into the body, a parameter or a header. */
export interface Culprit {
  readonly pointer?: string
  readonly parameter?: string
  readonly header?: string
  readonly detail: string
}

/** Returns the name of the field for the user; undefined for the whole request. */
type NameField = (culprit: Culprit) => string | undefined

/** An error response of the API. */
export class ApiError extends CliError {
  readonly code: string
  readonly status: number
  readonly culprits: readonly Culprit[]

  constructor(status: number, problem: Problem, nameField: NameField) {
    const text = namedDetail(problem, nameField) ?? problem.title ?? `the admin API responded with ${status}`
    super(cutText(text, MAX_DETAIL))
    this.name = 'ApiError'
    this.status = status
    this.code = cutText(problem.code ?? '')
    this.culprits = problem.errors ?? []
  }
}

const TIMEOUT_MS = 30_000

export class ApiClient {
  readonly #url: string
  readonly #key: () => string
  readonly #nameField: NameField
  readonly #dryRun: boolean
  #supportsDryRun: Promise<void> | undefined

  /**
   * `key`: called at each request, so that a command without a request needs no key. `dryRun`: each write is only checked, in a
   * transaction that is rolled back.
   */
  constructor(url: string, key: () => string, nameField: NameField, dryRun = false) {
    this.#nameField = nameField
    this.#dryRun = dryRun
    let end = url.length
    while (url[end - 1] === '/') end -= 1
    this.#url = url.slice(0, end)
    this.#key = key
  }

  /** Returns the URL of a path of the admin port. */
  urlOf(path: string): string {
    return this.#url + path
  }

  async request<Body>(method: string, path: string, request: ApiRequest = {}): Promise<ApiResponse<Body>> {
    const response = await this.#send(method, path, request)
    const text = await response.text()
    return {
      // The schema of the server is the contract, so the body is not checked here.
      body: (text === '' ? undefined : this.#parse(text)) as Body,
      etag: response.headers.get('etag') ?? undefined,
    }
  }

  async get<Body>(path: string, query: ApiRequest['query'] = {}): Promise<Body> {
    return (await this.request<Body>('GET', path, { query })).body
  }

  /** Resolves with a response that is text. */
  async text(path: string, query: ApiRequest['query']): Promise<string> {
    const response = await this.#send('GET', path, { query: query ?? {} })
    return await response.text()
  }

  /** Resolves with all rows of a list, at most `limit`. `onPage`: called with each page, to read its other fields. */
  async list<Row>(
    path: string,
    query: ApiRequest['query'] = {},
    limit = Number.POSITIVE_INFINITY,
    onPage: (page: object) => void = () => undefined,
  ): Promise<Row[]> {
    const rows: Row[] = []
    let cursor: string | undefined
    do {
      const size = Math.min(500, limit - rows.length)
      const page = await this.get<{ items: Row[]; next: string | null }>(path, {
        ...query,
        limit: size,
        cursor,
      })
      onPage(page)
      rows.push(...page.items)
      cursor = page.next ?? undefined
    } while (cursor !== undefined && rows.length < limit)
    return rows
  }

  /** Yields each server-sent event that has data, until the server or `signal` ends the stream. */
  async *events(
    path: string,
    query: ApiRequest['query'],
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly event: string; readonly data: string }> {
    const response = await this.#send('GET', path, { query: query ?? {} }, signal)
    let text = ''
    try {
      for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(
        new TextDecoderStream(),
      )) {
        text += chunk
        const blocks = text.split('\n\n')
        text = blocks.pop() ?? ''
        for (const block of blocks) {
          const lines = block.split('\n')
          const data = lines.filter(line => line.startsWith('data:'))
          const event =
            lines
              .find(line => line.startsWith('event:'))
              ?.slice(6)
              .trim() ?? 'message'
          if (data.length > 0) yield { event, data: data.map(line => line.slice(5).trimStart()).join('\n') }
        }
      }
    } catch (error) {
      if (!signal.aborted) throw this.#unreachable(error)
    }
  }

  async #send(method: string, path: string, request: ApiRequest, signal?: AbortSignal): Promise<Response> {
    const url = new URL(this.#url + path)
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value === undefined) continue
      for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(each))
    }
    if (this.#dryRun && method !== 'GET') {
      this.#supportsDryRun ??= this.#requireDryRun()
      await this.#supportsDryRun
      url.searchParams.set('dryRun', 'true')
    }
    const headers: Record<string, string> = {
      // Some paths have both a list and an event stream.
      accept: signal === undefined ? 'application/json' : 'text/event-stream, application/json',
      authorization: `Bearer ${this.#key()}`,
    }
    if (request.body !== undefined) headers['content-type'] = 'application/json'
    if (request.compressed !== undefined) {
      headers['content-type'] = 'application/json'
      headers['content-encoding'] = 'gzip'
    }
    if (request.ifMatch !== undefined) headers['if-match'] = request.ifMatch
    if (request.once === true) headers['idempotency-key'] = `"${randomUUID()}"`
    const send = () =>
      fetch(url, {
        method,
        headers,
        body: request.compressed ?? (request.body === undefined ? null : JSON.stringify(request.body)),
        // A stream is sent while the response may arrive already.
        ...(request.compressed === undefined ? {} : { duplex: 'half' as const }),
        redirect: 'error',
        signal: signal ?? AbortSignal.timeout(request.timeoutMs ?? TIMEOUT_MS),
      })
    let response: Response
    try {
      response = await (request.once === true ? send().catch(error => againAfterLoss(error, send)) : send())
    } catch (error) {
      throw this.#unreachable(error)
    }
    if (response.ok) return response
    throw new ApiError(response.status, await problemOf(response), this.#nameField)
  }

  /** Rejects when the server is older than the parameter. It would ignore the parameter, and make the change. */
  async #requireDryRun(): Promise<void> {
    const document = await this.get<{ paths?: object }>('/openapi.json')
    if (Object.hasOwn(document.paths ?? {}, '/v1/bundle')) return
    throw new CliError(
      `the Plugboard at ${this.#url} has no dry run, because it is older than 0.2.0. Upgrade it, or leave --dry-run out`,
    )
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch (error) {
      const message = `${this.#url} is not the admin API of Plugboard: its response is not JSON. Give the right address with --url`
      throw new CliError(message, { cause: error })
    }
  }

  #unreachable(error: unknown): CliError {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const reason =
      (cause as NodeJS.ErrnoException).code ?? (cause instanceof Error ? cause.message : String(cause))
    const message = `the admin API at ${this.#url} cannot be reached (${reason}). Start Plugboard there, or give another address with --url`
    return new CliError(message, { cause: error })
  }
}

/** Codes of a connection that broke after it was open, so the server may have received the request. */
const LOST: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/** Sends a request again whose connection was lost. Rejects with `error` for other failures. */
async function againAfterLoss(error: unknown, send: () => Promise<Response>): Promise<Response> {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined
  if (!LOST.has(cause?.code)) throw error
  return await send()
}

/** Returns the detail with the names of fields on the command line instead of the names in the API. */
function namedDetail({ detail, errors = [] }: Problem, nameField: NameField): string | undefined {
  const [first] = errors
  const apiName = first?.pointer ?? first?.parameter ?? first?.header
  if (!apiName || detail?.startsWith(`${apiName}: `) !== true) return detail
  return errors
    .map(culprit => [nameField(culprit), culprit.detail].filter(part => part !== undefined).join(': '))
    .join('; ')
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text()
  if (response.headers.get('content-type')?.startsWith('application/problem+json') !== true) return {}
  return JSON.parse(text) as Problem
}
