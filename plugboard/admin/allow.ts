// 404 and 405: which methods a path knows, read from the routes that the application has.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Hono, NotFoundHandler } from 'hono'
import type { AdminEnv } from './admin-env.ts'
import { problemResponse } from './problem.ts'

/** Call it after the last route has been added. */
export function unknownPath(app: Pick<Hono<AdminEnv>, 'routes'>): NotFoundHandler<AdminEnv> {
  const methodsOf = new Map<string, { template: readonly string[]; methods: Set<string> }>()
  for (const { method, path } of app.routes) {
    // Middleware counts as a route of method ALL.
    if (method === 'ALL') continue
    const entry = methodsOf.get(path) ?? { template: path.split('/'), methods: new Set<string>() }
    methodsOf.set(path, entry)
    entry.methods.add(method)
    if (method === 'GET') entry.methods.add('HEAD')
  }
  return c => {
    const segments = c.req.path.split('/')
    const found = [...methodsOf.values()].filter(({ template }) => fits(segments, template))
    if (found.length === 0) return problemResponse(new VeraError('not_found', 'There is no such path.'), c)
    const methods = [...new Set(found.flatMap(entry => [...entry.methods])), 'OPTIONS'].sort()
    c.header('Allow', methods.join(', '))
    if (c.req.method === 'OPTIONS') return c.body(null, 204)
    return problemResponse(new VeraError('method_not_allowed', `This path knows ${methods.join(', ')}.`), c)
  }
}

/** `/v1/routes/:id` fits each path of three segments that begins with `/v1/routes/`. */
function fits(segments: readonly string[], template: readonly string[]): boolean {
  return (
    segments.length === template.length &&
    template.every((part, index) =>
      part.startsWith(':') ? segments[index] !== '' : part === segments[index],
    )
  )
}
