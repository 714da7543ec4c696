// The errors 404 and 405. The methods of each path are read from the routes of the application.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Context, Hono, MiddlewareHandler } from 'hono'
import type { AdminEnv } from '../admin-env.ts'
import { problemResponse } from './problem.ts'

interface KnownPath {
  /** The segments; one that begins with `:` is a parameter. */
  readonly template: readonly string[]
  readonly methods: ReadonlySet<string>
}

export class AllowedMethods {
  readonly #app: Pick<Hono<AdminEnv>, 'routes'>
  #paths: readonly KnownPath[] | undefined

  /** Reads the routes at the first request, when all of them have been added. */
  constructor(app: Pick<Hono<AdminEnv>, 'routes'>) {
    this.#app = app
  }

  /** Returns the response for a path that does not exist, or does not allow the method. */
  readonly notFound = (c: Context<AdminEnv>): Response => {
    const path = this.#find(c)
    if (path === undefined) return problemResponse(new VeraError('not_found', 'There is no such path.'), c)
    const methods = [...path.methods, 'OPTIONS'].sort()
    c.header('Allow', methods.join(', '))
    if (c.req.method === 'OPTIONS') return c.body(null, 204)
    return problemResponse(
      new VeraError('method_not_allowed', `This path supports ${methods.join(', ')}.`),
      c,
    )
  }

  /**
   * Prevents a literal path from being read as a parameter: `DELETE /v1/signing-keys/rotate` does not remove a key with the
   * name `rotate`.
   */
  readonly literalFirst: MiddlewareHandler<AdminEnv> = async (c, next): Promise<Response | undefined> => {
    const path = this.#find(c)
    const literal = path !== undefined && parametersOf(path) === 0
    if (literal && !path.methods.has(c.req.method)) return this.notFound(c)
    await next()
    return undefined
  }

  /** Returns the path with the fewest parameters, as a reader of the document expects. */
  #find(c: Context<AdminEnv>): KnownPath | undefined {
    this.#paths ??= knownPaths(this.#app)
    const segments = c.req.path.split('/')
    return this.#paths.find(({ template }) => fits(segments, template))
  }
}

function knownPaths(app: Pick<Hono<AdminEnv>, 'routes'>): KnownPath[] {
  const paths = new Map<string, { template: readonly string[]; methods: Set<string> }>()
  for (const { method, path } of app.routes) {
    // Middleware counts as a route of method ALL.
    if (method === 'ALL') continue
    const entry = paths.get(path) ?? { template: path.split('/'), methods: new Set<string>() }
    paths.set(path, entry)
    entry.methods.add(method)
    if (method === 'GET') entry.methods.add('HEAD')
  }
  return [...paths.values()].sort((one, other) => parametersOf(one) - parametersOf(other))
}

const parametersOf = ({ template }: Pick<KnownPath, 'template'>): number =>
  template.filter(segment => segment.startsWith(':')).length

/** `/v1/routes/:id` fits each path of three segments that begins with `/v1/routes/`. */
function fits(segments: readonly string[], template: readonly string[]): boolean {
  return (
    segments.length === template.length &&
    template.every((part, index) =>
      part.startsWith(':') ? segments[index] !== '' : part === segments[index],
    )
  )
}
