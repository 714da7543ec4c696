// The paths of the inspector. Pages are at `/`. JSON with the same data is below `/v1/`, with the names of Plugboard's admin API.

import { curlText } from '@vera-stack/shared/inspect/curl-text.ts'
import { harOf } from '@vera-stack/shared/inspect/har.ts'
import { type ReplayEdits, replayEditsSchema } from '@vera-stack/shared/inspect/replay/replay-edits.ts'
import { VERSION } from '../version.ts'
import { exchangePage } from './pages/exchange-page.ts'
import { listPage } from './pages/list-page.ts'
import { messagePage } from './pages/message-page.ts'
import type { ReplayFailure, TelephoneInspector } from './telephone-inspector.ts'

export interface InspectorResponse {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly fields?: Readonly<Record<string, string>>
}

const PATH = /^(\/v1)?\/exchanges(?:\/([^/]{1,64})(\/replay)?)?$/
const HTML = 'text/html; charset=utf-8'
const JSON_TYPE = 'application/json'

const FAILURES: Readonly<Record<ReplayFailure, readonly [status: number, text: string]>> = {
  not_found: [404, 'No exchange has this id. The Telephone keeps the newest 200 exchanges of a service.'],
  no_backend: [409, 'The Telephone no longer serves the service of this exchange.'],
  busy: [503, 'Four replays are in progress. Try again when one has ended.'],
  not_kept: [
    503,
    'The replay has ended, but its exchange could not be kept. The backend may have received the request.',
  ],
}

export class InspectorRoutes {
  readonly #inspector: TelephoneInspector

  constructor(inspector: TelephoneInspector) {
    this.#inspector = inspector
  }

  /** The response to GET. */
  read({ pathname, searchParams }: URL): InspectorResponse {
    if (pathname === '/') return html(listPage(this.#inspector.list(), searchParams.get('paused') !== null))
    const [, api, id, replay] = PATH.exec(pathname) ?? []
    if (api !== undefined && id === undefined) return json({ items: this.#inspector.list() })
    if (id === undefined || replay !== undefined) return this.#notFound(pathname)
    const exchange = this.#inspector.get(id)
    if (exchange === undefined) return failed('not_found', api !== undefined)
    switch (searchParams.get('format')) {
      case 'har':
        return {
          ...json(harOf(exchange, VERSION)),
          fields: { 'Content-Disposition': `attachment; filename="${id.replace(/[^\w-]/g, '')}.har"` },
        }
      case 'curl':
        return { status: 200, type: 'text/plain; charset=utf-8', body: curlText(exchange) }
      default:
        return api === undefined ? html(exchangePage(exchange)) : json(exchange)
    }
  }

  /** The response to POST. Rejects with ReplayProblem. */
  async write({ pathname }: URL, body: string): Promise<InspectorResponse> {
    const [, api, id, replay] = PATH.exec(pathname) ?? []
    if (id === undefined || replay === undefined) return this.#notFound(pathname)
    const edits = api === undefined ? {} : editsOf(body)
    if (edits === undefined)
      return { ...json({ detail: 'The body is not JSON with method, target, fields or body.' }), status: 400 }
    const result = await this.#inspector.replay(id, edits)
    if (typeof result === 'string') return failed(result, api !== undefined)
    if (api !== undefined) return json(result)
    const location = `/exchanges/${result.exchange.id}`
    return {
      status: 303,
      type: HTML,
      body: messagePage('Sent', 'The replay has ended.'),
      fields: { Location: location },
    }
  }

  #notFound(path: string): InspectorResponse {
    const { body } = html(messagePage('Not found', 'The inspector has no such page.'))
    return path.startsWith('/v1/')
      ? { ...json({ detail: 'There is no such path.' }), status: 404 }
      : { status: 404, type: HTML, body }
  }
}

/** Returns undefined for a text that is not an edit. */
function editsOf(body: string): ReplayEdits | undefined {
  if (body === '') return {}
  try {
    return replayEditsSchema.safeParse(JSON.parse(body)).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function failed(reason: ReplayFailure, isApi: boolean): InspectorResponse {
  const [status, detail] = FAILURES[reason]
  return isApi
    ? { ...json({ detail }), status }
    : { status, type: HTML, body: messagePage('The inspector has no result', detail) }
}

const html = (body: string): InspectorResponse => ({ status: 200, type: HTML, body })
const json = (value: unknown): InspectorResponse => ({
  status: 200,
  type: JSON_TYPE,
  body: JSON.stringify(value),
})
