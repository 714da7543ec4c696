// The scopes of an admin key. A scope is `area:read`, `area:write` or `area:*`; `admin` includes all scopes. `write` does not
// include `read`. A key without scopes has no rights.

const WRITABLE_AREAS = ['routes', 'services', 'tokens', 'keys'] as const
const READ_ONLY_AREAS = ['changes', 'status', 'metrics', 'traffic'] as const
/** Scopes beside those of reading and writing: `traffic:replay` sends requests, and changes no row. */
const MORE_SCOPES = ['traffic:replay'] as const
export type ScopeArea = (typeof WRITABLE_AREAS)[number] | (typeof READ_ONLY_AREAS)[number]
/** The permission that a handler requires. */
export type Permission = 'admin' | `${ScopeArea}:${'read' | 'write'}` | (typeof MORE_SCOPES)[number]

/** The scopes that a key can have. */
export const SCOPES = [
  'admin',
  ...WRITABLE_AREAS.flatMap(area => [`${area}:read`, `${area}:write`, `${area}:*`] as const),
  ...READ_ONLY_AREAS.map(area => `${area}:read` as const),
  ...MORE_SCOPES,
] as const
export type KeyScope = (typeof SCOPES)[number]

/** True when the scopes include the permission. */
export function allows(scopes: readonly string[], permission: Permission): boolean {
  if (permission === 'admin') return scopes.includes('admin')
  const area = permission.slice(0, permission.indexOf(':'))
  return scopes.some(scope => scope === 'admin' || scope === permission || scope === `${area}:*`)
}

/**
 * True when `scopes` include everything that `scope` permits. Then a key with `scopes` may create or revoke a key with `scope`.
 * Only the scope itself and `admin` include a scope of a newer version.
 */
export function includes(scopes: readonly string[], scope: string): boolean {
  if (scopes.includes('admin') || scopes.includes(scope)) return true
  if (!scope.endsWith(':*')) return scope !== 'admin' && allows(scopes, scope as Permission)
  const area = scope.slice(0, -2) as ScopeArea
  return allows(scopes, `${area}:read`) && allows(scopes, `${area}:write`)
}
