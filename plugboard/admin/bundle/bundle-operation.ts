// `PUT /v1/bundle`: all services and routes in one document and one transaction.
//
//   read and check ─▶ compare with a copy of the rows ─▶ write the differences ─▶ respond with them
//                          ▲                                  │ a concurrent change was first
//                          └──────────── at most nine times ──┘

import { randomUUID } from 'node:crypto'
import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context } from 'hono'
import { allows } from '../access/scope.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import { bundleResultSchema, bundleSchema } from '../bodies/bundle.ts'
import { ALWAYS_FAILS, body, json, problems } from '../http/openapi.ts'
import { flagQuery } from '../http/page.ts'
import { parsedQuery } from '../http/parsed-query.ts'
import { RequestError, validationError } from '../http/problem.ts'
import { BundleComparison } from './bundle-comparison.ts'
import { type BundleDifference, isEmpty, writeOf } from './bundle-difference.ts'
import { BUNDLE_PATH } from './bundle-path.ts'
import { bundleStream } from './bundle-response.ts'
import { readBundle } from './read-bundle.ts'

/** Bundles that one replica handles at once, because each may take some hundred MiB of memory. */
const MAX_AT_ONCE = 2
const RETRY_AFTER_S = 5
const MAX_ATTEMPTS = 10

const querySchema = z.strictObject({
  dryRun: flagQuery(
    'true: only respond with the differences. Needs the scopes `routes:read` and `services:read`.',
  ),
  prune: flagQuery(
    'true: delete services and routes that are absent from the bundle. Routes that telephones have claimed stay, and rows ' +
      'beyond the limits of the key. The bundle then needs both lists. Default: rows that are absent stay.',
  ),
})

const headersSchema = z.looseObject({
  'if-match': z
    .string()
    .regex(/^(?:\*|"\d{1,15}")$/, 'is not a sequence of the change log in quotes, such as "42"')
    .optional()
    .openapi({
      description:
        'A sequence of the change log, in quotes, or `*` for any. The response is 412 when a later change concerns a row that the bundle ' +
        'would create, change or delete.',
      example: '"42"',
    }),
})

export function addBundleOperation(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  const { store, outbound, clock, maxBundleBytes } = deps
  let open = 0

  app.openAPIRegistry.registerPath({
    method: 'put',
    path: BUNDLE_PATH,
    operationId: 'putBundle',
    tags: ['bundle'],
    summary: 'Change services and routes to the state of a bundle',
    description:
      'One transaction: all changes are made, or none. The bundle is checked as a whole, and each problem has its JSON ' +
      'pointer. A row that equals its row in the database does not change, so a bundle can be sent again. ' +
      `At most ${MAX_AT_ONCE} bundles at once. The body may be compressed (Content-Encoding: gzip). ` +
      'Needs the scopes `routes:write` and `services:write`; with `dryRun`, `routes:read` and `services:read`.',
    security: [{ apiKey: [] }],
    request: { query: querySchema, headers: headersSchema, body: body(bundleSchema) },
    responses: {
      ...problems(
        ...ALWAYS_FAILS,
        'mount_conflict',
        'conflict',
        'precondition_failed',
        'payload_too_large',
        'unsupported_media_type',
      ),
      200: json(bundleResultSchema, 'The differences that were written or, with dryRun=true, would be.'),
    },
  })

  app.put(BUNDLE_PATH, async c => {
    try {
      return await handle(c)
    } catch (error) {
      // The client may still send the rest of the body, so it cannot use this connection for another request.
      c.header('Connection', 'close')
      throw error
    }
  })

  async function handle(c: Context<AdminEnv>): Promise<Response> {
    const { dryRun = false, prune = false } = parsedQuery(querySchema, c.req.queries())
    const since = sinceOf(c)
    refuseWithoutScopes(c, dryRun)
    if (open >= MAX_AT_ONCE) {
      c.header('Retry-After', String(RETRY_AFTER_S))
      throw new VeraError(
        'rate_limited',
        `This replica handles ${MAX_AT_ONCE} bundles already. Try again later.`,
      )
    }
    open += 1
    let streaming = false
    const close = once(() => {
      open -= 1
    })
    try {
      const times = new Times(() => clock.now())
      const input = await readBundle(c.req.raw, { maxBytes: maxBundleBytes, outbound, prune })
      times.end('read')
      const compare = async (): Promise<{ difference: BundleDifference; sequence: number }> => {
        const comparison = new BundleComparison(input, { prune, limits: c.get('key').limits })
        const request = since === undefined ? undefined : { sequence: since, touched: comparison.touched }
        const sequence = await store.bundles.copy({ sink: comparison, since: request })
        return { difference: await comparison.finish(), sequence }
      }
      for (let attempt = 1; ; attempt += 1) {
        let { difference, sequence } = await compare()
        times.end('compare')
        let bundle: string | null = null
        if (!dryRun && !isEmpty(difference)) {
          bundle = randomUUID()
          try {
            const written = await store.bundles.write(await writeOf(difference), bundle, c.get('by'))
            sequence = written.sequence
            times.end('write')
            times.add('lock', written.lockedMs)
          } catch (error) {
            if (attempt === MAX_ATTEMPTS || !wasOvertaken(error)) throw error
            continue
          }
        }
        c.header('Server-Timing', times.toString())
        c.header('Content-Type', 'application/json')
        const stream = bundleStream({ dryRun, bundle, sequence }, difference, clock, close)
        streaming = true
        return c.body(stream, 200)
      }
    } finally {
      if (!streaming) close()
    }
  }
}

function sinceOf(c: Context<AdminEnv>): number | undefined {
  const parsed = headersSchema.safeParse({ 'if-match': c.req.header('if-match')?.trim() })
  if (!parsed.success) throw validationError('header', parsed.error.issues)
  const { 'if-match': header } = parsed.data
  return header === undefined || header === '*' ? undefined : Number(header.slice(1, -1))
}

function refuseWithoutScopes(c: Context<AdminEnv>, dryRun: boolean): void {
  const needed = dryRun
    ? (['routes:read', 'services:read'] as const)
    : (['routes:write', 'services:write'] as const)
  const missing = needed.filter(scope => !allows(c.get('key').scopes, scope))
  if (missing.length === 0) return
  throw new RequestError('forbidden', `The API key lacks the scope ${missing.join(' and the scope ')}.`, [])
}

/** True when a concurrent change reached a row of the bundle after the comparison. The next comparison reads that change. */
function wasOvertaken(error: unknown): boolean {
  return (
    error instanceof VeraError &&
    (error.code === 'precondition_failed' || error.code === 'conflict' || error.code === 'mount_conflict')
  )
}

function once(task: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    task()
  }
}

/** The times of the phases, for the field Server-Timing. */
class Times {
  readonly #now: () => number
  readonly #parts: string[] = []
  #begin: number

  constructor(now: () => number) {
    this.#now = now
    this.#begin = now()
  }

  end(phase: string): void {
    const now = this.#now()
    this.add(phase, now - this.#begin)
    this.#begin = now
  }

  add(phase: string, ms: number): void {
    this.#parts.push(`${phase};dur=${ms.toFixed(1)}`)
  }

  toString(): string {
    return this.#parts.join(', ')
  }
}
