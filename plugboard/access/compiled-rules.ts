// The rules of one route, compiled to address lists, hashes and patterns. They are compiled at the first request of the route
// and kept until its row changes. The cached results of credential checks are dropped with them.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { Jwks } from '../jwks/jwks.ts'
import type { RouteRules } from '../routes/options/route-options.ts'
import { hstsOf } from '../routes/rules/hsts-rules.ts'
import { AddressRules } from './address-rules.ts'
import { Cors } from './edits/cors.ts'
import { FixedResponse } from './edits/fixed-response.ts'
import { HeaderEdits } from './edits/header-edits.ts'
import { BasicAuth, type BasicDependencies } from './login/basic-auth.ts'
import { BearerAuth, type BearerDependencies } from './login/bearer-auth.ts'
import { Credentials } from './login/credentials.ts'

export interface CompileDependencies {
  readonly clock: Clock
  readonly basic: BasicDependencies
  readonly bearer: BearerDependencies
  readonly jwks: (url: string) => Jwks
}

export interface CompiledRules {
  /** True when a rule could not be read. Every request is then refused. */
  readonly closed: boolean
  readonly addresses: AddressRules | undefined
  readonly credentials: Credentials | undefined
  readonly cors: Cors | undefined
  readonly requestEdits: HeaderEdits | undefined
  readonly responseEdits: HeaderEdits | undefined
  readonly redirect: RouteRules['redirect']
  readonly response: FixedResponse | undefined
  /** Strict-Transport-Security. Undefined: the setting for all routes applies. Empty: the field is not sent. */
  readonly hsts: string | undefined
}

export function compileRules(rules: RouteRules, deps: CompileDependencies): CompiledRules {
  const { access, cors, requestHeaders, responseHeaders, redirect, respond, hsts, unusable } = rules
  const basic = access?.basic && new BasicAuth(access.basic, deps.basic)
  const bearer = access?.jwt && new BearerAuth(access.jwt, deps.jwks(access.jwt.jwksUrl), deps.bearer)
  const guarded = basic !== undefined || bearer !== undefined
  const byAddress = access?.allow !== undefined || access?.deny !== undefined
  return {
    closed: unusable !== undefined && unusable.length > 0,
    addresses: byAddress ? new AddressRules(access.allow, access.deny) : undefined,
    credentials: access !== undefined && guarded ? new Credentials(access, basic, bearer) : undefined,
    cors: cors && new Cors(cors),
    requestEdits: requestHeaders && new HeaderEdits(requestHeaders),
    responseEdits: responseHeaders && new HeaderEdits(responseHeaders),
    redirect,
    response: respond && new FixedResponse(respond, deps.clock),
    hsts: hsts === undefined ? undefined : hstsOf(hsts),
  }
}
