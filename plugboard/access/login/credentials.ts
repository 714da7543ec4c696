// Checks whether a request has a credential that its route accepts: a password, a token of the issuer, or one of both. Adds the
// fields that state the identity for the backend, and removes such fields of the client.

import type { AccessRules } from '../../routes/rules/access-rules.ts'
import type { VerifiedIdentity } from '../../routes/rules/key-part.ts'
import type { AccessRefusal } from '../access-decision.ts'
import { FieldNames, soleValue } from '../edits/field-list.ts'
import { type BasicAuth, type BasicOutcome, userOfCredential } from './basic-auth.ts'
import type { BearerAuth, BearerOutcome } from './bearer-auth.ts'
import { identityOfToken, identityOfUser } from './identity.ts'
import { fieldText } from './token-claims.ts'

/** `fields`: the fields that are added to the request for the backend. */
export interface Passed {
  readonly fields: readonly string[]
}
export type CredentialDecision = Passed | AccessRefusal

type PresentedCredential =
  | { readonly kind: 'token'; readonly bearer: BearerAuth; readonly token: string }
  | { readonly kind: 'password'; readonly basic: BasicAuth; readonly credential: string }
  | { readonly kind: 'several' | 'none' }

const INVALID = 'Bearer error="invalid_token", error_description='

export class Credentials {
  readonly #access: AccessRules
  readonly #basic: BasicAuth | undefined
  readonly #bearer: BearerAuth | undefined
  /** The name of the field that holds the token, in lower case. */
  readonly #tokenField: string
  /** Fields that only Plugboard may send on this route, and those of the credential unless it is forwarded. */
  readonly #withheld: FieldNames

  constructor(access: AccessRules, basic: BasicAuth | undefined, bearer: BearerAuth | undefined) {
    const { jwt, forwardAuthorization = false } = access
    this.#access = access
    this.#basic = basic
    this.#bearer = bearer
    this.#tokenField = (jwt?.header ?? 'authorization').toLowerCase()
    const own = [...Object.values(jwt?.forward ?? {}), access.basic?.forwardUser ?? []].flat()
    const credentials = forwardAuthorization ? [] : ['authorization', this.#tokenField]
    this.#withheld = new FieldNames([...own, ...credentials])
  }

  /** Verifies the credential of a request. A promise never rejects. */
  check(fields: readonly string[], address: string): CredentialDecision | Promise<CredentialDecision> {
    const presented = this.#presented(fields)
    switch (presented.kind) {
      case 'several':
        return { code: 'bad_request', detail: 'The request has more than one credential.' }
      case 'token': {
        const outcome = presented.bearer.check(presented.token)
        return outcome instanceof Promise ? outcome.then(this.#ofBearer) : this.#ofBearer(outcome)
      }
      case 'password': {
        const outcome = presented.basic.check(presented.credential, address)
        return outcome instanceof Promise ? outcome.then(this.#ofBasic) : this.#ofBasic(outcome)
      }
      case 'none':
        return this.#refused()
    }
  }

  /** Returns the identity of a request whose credential `check` has accepted. Call it before `addIdentity`. */
  identityOf(fields: readonly string[]): VerifiedIdentity | undefined {
    const presented = this.#presented(fields)
    if (presented.kind === 'token') return identityOfToken(presented.token)
    const user = presented.kind === 'password' ? userOfCredential(presented.credential) : undefined
    return user === undefined ? undefined : identityOfUser(user)
  }

  /** Returns the credential that the request presents and the route accepts. */
  #presented(fields: readonly string[]): PresentedCredential {
    const [bearer, basic] = [this.#bearer, this.#basic]
    const authorization = soleValue(fields, 'authorization')
    const ownToken = soleValue(fields, this.#tokenField)
    if (authorization === null || ownToken === null) return { kind: 'several' }
    const [, scheme = '', credential = ''] = /^([^ ]+) +([^ ].*)$/.exec(authorization ?? '') ?? []
    if (bearer !== undefined) {
      const inAuthorization = scheme.toLowerCase() === 'bearer' ? credential : undefined
      const token =
        this.#tokenField === 'authorization' ? inAuthorization : ownToken?.replace(/^bearer +/i, '')
      if (token !== undefined && token !== '') return { kind: 'token', bearer, token }
    }
    if (basic !== undefined && scheme.toLowerCase() === 'basic')
      return { kind: 'password', basic, credential }
    return { kind: 'none' }
  }

  /** Edits the fields of a request that has passed, in place. */
  addIdentity(fields: string[], { fields: identityFields }: Passed): void {
    this.#withheld.removeFrom(fields)
    fields.push(...identityFields)
  }

  readonly #ofBasic = (outcome: BasicOutcome): CredentialDecision => {
    if (outcome === 'wrong') return this.#refused()
    if (outcome === 'busy') return { code: 'overloaded' }
    if ('waitMs' in outcome) {
      const retryAfterSeconds = Math.ceil(outcome.waitMs / 1000)
      return {
        code: 'rate_limited',
        detail: 'Too many failed attempts from this address.',
        retryAfterSeconds,
      }
    }
    const field = this.#access.basic?.forwardUser
    return { fields: field === undefined ? [] : [field, fieldText(outcome.user)] }
  }

  readonly #ofBearer = (outcome: BearerOutcome): CredentialDecision => {
    switch (outcome) {
      case 'invalid':
        return this.#refused(`${INVALID}"The token is not valid here."`)
      case 'expired':
        return { ...this.#refused(`${INVALID}"The token has expired."`), code: 'token_expired' }
      case 'insufficient_scope': {
        const { scopes } = this.#access.jwt ?? {}
        const wanted = scopes === undefined ? '' : `, scope="${scopes.join(' ')}"`
        const challenge = `Bearer error="insufficient_scope"${wanted}`
        return { code: 'forbidden', fields: ['WWW-Authenticate', challenge] }
      }
      case 'unavailable':
        return { code: 'issuer_unavailable' }
      default:
        return outcome
    }
  }

  /** Returns a refusal with a challenge for each accepted scheme (RFC 9110 section 11.6.1). */
  #refused(bearerChallenge = 'Bearer'): AccessRefusal {
    const fields: string[] = []
    if (this.#bearer !== undefined) fields.push('WWW-Authenticate', bearerChallenge)
    if (this.#basic !== undefined) fields.push('WWW-Authenticate', this.#basic.challenge)
    return { code: 'unauthorized', fields }
  }
}
