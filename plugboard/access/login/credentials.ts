// Checks whether a request has a credential that its route accepts: a password, a token of the issuer, or one of both. Adds the
// fields that state the identity for the backend, and removes such fields of the client.

import type { AccessRules } from '../../routes/rules/access-rules.ts'
import type { AccessRefusal } from '../access-decision.ts'
import { FieldNames, soleValue } from '../edits/field-list.ts'
import type { BasicAuth, BasicOutcome } from './basic-auth.ts'
import type { BearerAuth, BearerOutcome } from './bearer-auth.ts'
import { fieldText } from './token-claims.ts'

/** `fields`: the fields that are added to the request for the backend. */
export interface Passed {
  readonly fields: readonly string[]
}
export type CredentialDecision = Passed | AccessRefusal

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
    const authorization = soleValue(fields, 'authorization')
    const token = soleValue(fields, this.#tokenField)
    if (authorization === null || token === null) {
      return { code: 'bad_request', detail: 'The request has more than one credential.' }
    }
    const [, scheme = '', credential = ''] = /^([^ ]+) +([^ ].*)$/.exec(authorization ?? '') ?? []
    if (this.#bearer !== undefined) {
      const own = this.#tokenField !== 'authorization'
      const bearer = own
        ? token?.replace(/^bearer +/i, '')
        : scheme.toLowerCase() === 'bearer'
          ? credential
          : undefined
      if (bearer !== undefined && bearer !== '') {
        const outcome = this.#bearer.check(bearer)
        return outcome instanceof Promise ? outcome.then(this.#ofBearer) : this.#ofBearer(outcome)
      }
    }
    if (this.#basic !== undefined && scheme.toLowerCase() === 'basic') {
      const outcome = this.#basic.check(credential, address)
      return outcome instanceof Promise ? outcome.then(this.#ofBasic) : this.#ofBasic(outcome)
    }
    return this.#refused()
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
