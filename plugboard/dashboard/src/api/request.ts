// Requests to the admin API, with the session cookie of the browser. The types of the bodies are those of the API itself.

/** An error response of the API, or a request without a response (status 0). */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly culprits: readonly Culprit[]
  /** The whole problem document. */
  readonly problem: Problem

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.title ?? `The admin API responded with ${status}.`)
    this.name = 'ApiError'
    this.status = status
    this.code = problem.code ?? ''
    this.culprits = problem.errors ?? []
    this.problem = problem
  }
}

/** Returns the reason of a rejection as an ApiError. A fault of the page itself has status 0. */
export const asApiError = (reason: unknown): ApiError =>
  reason instanceof ApiError ? reason : new ApiError(0, { detail: String(reason) })

/** A wrong field: a JSON pointer into the body, a parameter or a header. */
export interface Culprit {
  readonly pointer?: string
  readonly parameter?: string
  readonly header?: string
  readonly detail: string
}

export interface Problem {
  readonly code?: string
  readonly title?: string
  readonly detail?: string
  readonly errors?: readonly Culprit[]
  /** For an undo: the values that the change wrote, and the current values. */
  readonly differences?: readonly {
    readonly pointer: string
    readonly expected: unknown
    readonly actual: unknown
  }[]
}

export interface ApiRequest {
  readonly query?: Query | undefined
  readonly body?: unknown
  readonly ifMatch?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Credential in place of the cookie, to log in. */
  readonly bearer?: string | undefined
}
/** A list becomes one parameter for each of its values. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface ApiResponse<Body> {
  readonly body: Body
  readonly etag: string | undefined
}

/** Rejects with ApiError, or with the reason of `signal`. */
export async function request<Body>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  { query, body, ifMatch, signal, bearer }: ApiRequest = {},
): Promise<ApiResponse<Body>> {
  const headers = new Headers({ Accept: 'application/json' })
  if (body !== undefined) headers.set('Content-Type', 'application/json')
  if (ifMatch !== undefined) headers.set('If-Match', ifMatch)
  if (bearer !== undefined) headers.set('Authorization', `Bearer ${bearer}`)
  if (method === 'POST') headers.set('Idempotency-Key', randomKey())
  let response: Response
  try {
    response = await fetch(urlOf(path, query), {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    })
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw unreachable()
  }
  if (!response.ok) {
    if (response.status === 401 && bearer === undefined) for (const listener of loggedOut) listener()
    throw await errorOf(response)
  }
  // The schema of the server is the contract, so the body is not checked here.
  return { body: (await bodyOf(response)) as Body, etag: response.headers.get('etag') ?? undefined }
}

export async function get<Body>(path: string, query?: Query, signal?: AbortSignal): Promise<Body> {
  return (await request<Body>('GET', path, { query, signal })).body
}

/** Resolves with a response that is not JSON, such as a command. Rejects with ApiError. */
export async function getText(path: string, query: Query): Promise<string> {
  const response = await fetch(urlOf(path, query)).catch(() => {
    throw unreachable()
  })
  if (response.ok) return await response.text()
  throw await errorOf(response)
}

/** Resolves with the reason why an event stream could not be opened; undefined when it can be opened now. Never rejects. */
export async function streamProblem(url: string): Promise<ApiError | undefined> {
  const controller = new AbortController()
  try {
    const response = await fetch(url, {
      headers: { Accept: 'text/event-stream' },
      signal: controller.signal,
    })
    if (response.ok) return undefined
    return await errorOf(response)
  } catch {
    return unreachable()
  } finally {
    controller.abort()
  }
}

const unreachable = (): ApiError =>
  new ApiError(0, { detail: 'Plugboard cannot be reached. Check that it runs, and your connection to it.' })

const loggedOut = new Set<() => void>()

/** Calls `listener` when a request shows that the session has ended. */
export function onLoggedOut(listener: () => void): void {
  loggedOut.add(listener)
}

/** Browsers have `crypto.randomUUID` over https and on localhost only. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Returns the path with the parameters that are not empty. */
export function urlOf(path: string, query: Query = {}): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === ''
      ? []
      : typeof value === 'object'
        ? value.map(each => [name, each])
        : [[name, String(value)]],
  )
  return parameters.length === 0 ? path : `${path}?${new URLSearchParams(parameters)}`
}

/** Resolves with the error of a response. Rejects when the response breaks. */
export async function errorOf(response: Response): Promise<ApiError> {
  return new ApiError(response.status, ((await bodyOf(response)) ?? {}) as Problem)
}

/** Resolves with the parsed body; undefined when it is empty. */
async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text()
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    // A proxy between the page and Plugboard can send another type.
    return {
      detail: 'The response is not JSON. Another server may be between this page and Plugboard.',
    }
  }
}
