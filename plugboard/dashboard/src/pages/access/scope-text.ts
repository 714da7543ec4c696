// What each scope of an API key permits.

import type { KeyScope } from '../../../../admin/api-types.ts'

/** A scope `area:*` is the same as both scopes of its area. The type requires each other scope of the API. */
export const SCOPE_TEXTS: Readonly<Record<Exclude<KeyScope, `${string}:*`>, string>> = {
  admin: 'everything, also keys with all rights',
  'status:read': 'read the state of replicas, telephones, services and checks',
  'metrics:read': 'read the metrics for Prometheus',
  'traffic:read': 'read requests, their failures, and captured exchanges',
  'traffic:replay': 'send captured requests again',
  'changes:read': 'read the audit log',
  'routes:read': 'read routes and their rules',
  'routes:write': 'change routes: the key can redirect all traffic',
  'services:read': 'read services and their policy',
  'services:write': 'change services and their policy',
  'tokens:read': 'read tokens of telephones, without their text',
  'tokens:write': 'issue and revoke tokens, and disconnect telephones',
  'keys:read': 'read API keys and signing keys, without their text',
  'keys:write': 'create and revoke keys that have no more rights than its own',
}
