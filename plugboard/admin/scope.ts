// What an admin key may do. A scope is `area:read`, `area:write` or `area:*`; `admin` is all of them. Writing does
// not include reading. No scopes, no rights.

const SCOPE_AREAS = ['routes', 'services', 'tokens', 'keys', 'changes', 'status'] as const
export type ScopeArea = (typeof SCOPE_AREAS)[number]
/** What a handler asks for. */
export type Permission = `${ScopeArea}:${'read' | 'write'}`

/** What a key may hold. Status cannot be written. */
export const SCOPES = [
  'admin',
  ...SCOPE_AREAS.flatMap(area =>
    area === 'status' || area === 'changes'
      ? ([`${area}:read`] as const)
      : ([`${area}:read`, `${area}:write`, `${area}:*`] as const),
  ),
] as const
export type Scope = (typeof SCOPES)[number]

export function allows(scopes: readonly string[], permission: Permission): boolean {
  const area = permission.slice(0, permission.indexOf(':'))
  return scopes.some(scope => scope === 'admin' || scope === permission || scope === `${area}:*`)
}

/** Whether a holder of `scopes` may give `scope` away: nobody hands out more than they have. */
export function includes(scopes: readonly string[], scope: Scope): boolean {
  if (scope === 'admin') return scopes.includes('admin')
  if (!scope.endsWith(':*')) return allows(scopes, scope as Permission)
  const area = scope.slice(0, -2) as ScopeArea
  return allows(scopes, `${area}:read`) && allows(scopes, `${area}:write`)
}
