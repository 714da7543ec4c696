// The access rules of a route: addresses, passwords, tokens of an issuer. The input form may have passwords; the stored form has
// only hashes. Both are validated strictly, because an invalid rule must close the route and not open it.

import { recordOf } from '@vera-stack/shared/schema/record-of.ts'
import { z } from 'zod'
import { parseNetwork } from '../../common/net/ip-networks.ts'
import { PASSWORD_HASH_FORM, passwordHashProblem } from '../../common/passwords/password-hash.ts'
import { storedText } from '../../database/store/values/stored-text.ts'
import { ownFieldName } from './field-rules.ts'

const MAX_NETWORKS = 1000
const MAX_USERS = 50
/** Longest parts of a Basic credential, in characters. */
export const MAX_USER_NAME = 128
export const MAX_PASSWORD = 256

/** A pattern that every address and network matches. Some other texts match too. */
const NETWORK_FORM =
  '^(?:(?:[0-9]{1,3}\\.){3}[0-9]{1,3}(?:/[0-9]{1,2})?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:/[0-9]{1,3})?)$'

const network = z
  .string()
  .max(64)
  .refine(
    text => parseNetwork(text) !== undefined,
    'is not an address or a network: write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32',
  )
  .meta({
    pattern: NETWORK_FORM,
    description: 'An address, or a network with at most 32 (IPv4) or 128 (IPv6) bits.',
    example: '10.0.0.0/8',
  })
export const networksSchema = z.array(network).min(1).max(MAX_NETWORKS)

/**
 * Printable, and without the colon, which ends a user name in Basic (RFC 7617). A lone surrogate has no form in UTF-8. The
 * patterns mean the same with the u flag and without, because the OpenAPI document has no flags.
 */
const userName = z
  .string()
  .min(1)
  .max(MAX_USER_NAME)
  .regex(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern excludes them
    /^(?:[^:\0-\x1f\x7f-\x9f\ud800-\udfff]|[\ud800-\udbff][\udc00-\udfff])+$/,
    'has a colon, a control character or half of a character',
  )
  .meta({ example: 'ada' })
const hash = z.string().superRefine((text, context) => {
  const problem = passwordHashProblem(text)
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
})
const hashField = hash.meta({
  pattern: PASSWORD_HASH_FORM.source,
  description: 'A hash of the form `$scrypt$ln=…,r=…,p=…$salt$hash`, with costs that this program accepts.',
  example: '$scrypt$ln=14,r=8,p=5$c2FsdHNhbHRzYWx0c2FsdA$0Gs0kZ2nYkKZ0u6pTz6Wm8s7cU2b1c9q6mC0h3s4a5Y',
})
const password = z
  .string()
  .min(1)
  .max(MAX_PASSWORD)
  .regex(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are excluded
    /^(?:[^\0-\x1f\x7f-\x9f\ud800-\udfff]|[\ud800-\udbff][\udc00-\udfff])*$/,
    'has a control character or half of a character',
  )
  .meta({ writeOnly: true, description: 'Plugboard keeps only a hash.', example: 'analytical engine' })
/** The same rules apply to credentials of clients. A value that breaks them cannot match a user. */
export const isUserName = (text: string): boolean => userName.safeParse(text).success
export const isPassword = (text: string): boolean => password.safeParse(text).success

const storedUser = z.strictObject({ name: userName, hash: hashField })
const writtenUser = z
  .strictObject({ name: userName, hash: hashField.optional(), password: password.optional() })
  .refine(
    user => (user.hash === undefined) !== (user.password === undefined),
    'needs either "password", of which only a hash is kept, or a ready "hash"',
  )
  // The name, and either the hash or the password.
  .meta({ minProperties: 2, maxProperties: 2 })

const basicOf = <User extends z.ZodType<{ readonly name: string }>>(user: User) =>
  z.strictObject({
    /** The text that browsers show when they ask for the password. */
    realm: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[\x20-\x7e]+$/, 'has characters other than printable ASCII')
      .meta({ example: 'Staff' })
      .optional(),
    users: z
      .array(user)
      .min(1)
      .max(MAX_USERS)
      .refine(users => new Set(users.map(({ name }) => name)).size === users.length, 'has a user twice')
      .meta({ description: 'A name occurs only once.' }),
    /** The header field that carries the user's name to the backend. */
    forwardUser: ownFieldName.optional(),
  })

/** Only asymmetric algorithms. With `none` and HS*, anyone with the public keys could issue tokens. */
export const TOKEN_ALGORITHMS = [
  'EdDSA',
  'Ed25519',
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
] as const

function isFetchable(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false
  const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)
  return url.protocol === 'https:' || (url.protocol === 'http:' && loopback)
}

const text = storedText(1, 1024)
/** Refuses a number that JSON does not carry exactly, because the comparison would use another number. */
const number = z
  .number()
  .refine(
    value => !Number.isInteger(value) || Number.isSafeInteger(value),
    'is too large to be compared exactly',
  )
  .meta({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })
const scalar = z.union([text, number, z.boolean()])
/** A name, or a JSON pointer (RFC 6901), in which `~` is followed by 0 or 1. */
const claimName = storedText(1, 256).refine(
  name => !name.startsWith('/') || !/~(?![01])/.test(name),
  'is not a JSON pointer: ~ is written ~0',
)
/** The same for the keys of objects in the OpenAPI document. */
const CLAIM_NAMES = {
  maxLength: 256,
  pattern:
    '^(?!__proto__$)(?!/(?:[^~]|~[01])*~(?![01]))(?:[^\\0\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff])+$',
  example: '/realm_access/roles',
} as const

const jwt = z.strictObject({
  /** The exact `iss`. */
  issuer: text,
  /** `aud`: one of these. */
  audience: z.union([text, z.array(text).min(1).max(20)]),
  jwksUrl: z
    .string()
    .max(2048)
    .regex(
      /^[Hh][Tt][Tt][Pp][Ss]?:[!-"$-~]+$/,
      'is not a URL: percent-encode all characters that are not printable ASCII',
    )
    .refine(isFetchable, 'is not an https URL without user and fragment (http is allowed only for loopback)')
    .meta({
      description:
        'An https URL without user and fragment; an http URL only with a loopback address. The setting `outboundNetworks` allows addresses ' +
        'of internal networks.',
      example: 'https://issuer.example.com/jwks.json',
    }),
  algorithms: z.array(z.enum(TOKEN_ALGORITHMS)).min(1).optional(),
  /**
   * Claims that the token must have with this value, or one of these. A claim that is a list needs to hold it. A name that
   * begins with `/` is a JSON pointer: `/realm_access/roles`.
   */
  claims: recordOf(claimName, z.union([scalar, z.array(scalar).min(1).max(100)]))
    .meta({ propertyNames: CLAIM_NAMES })
    .optional(),
  /** The claim `scope` or `scp` must contain all of them. */
  scopes: z
    .array(
      z
        .string()
        .max(256)
        .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is not a scope (RFC 6749, section 3.3)')
        .meta({ example: 'read' }),
    )
    .min(1)
    .max(50)
    .optional(),
  /** Claim → the header field that carries it to the backend. */
  forward: recordOf(claimName, ownFieldName)
    .refine(
      map => new Set(Object.values(map).map(name => name.toLowerCase())).size === Object.keys(map).length,
      'uses one field for two claims',
    )
    .meta({ propertyNames: CLAIM_NAMES, description: 'A field occurs only once.' })
    .optional(),
  /** The field with the token, with or without `Bearer`. Default: Authorization. */
  header: ownFieldName.optional(),
})

const accessOf = <User extends z.ZodType<{ readonly name: string }>>(user: User) =>
  z.strictObject({
    /** Only these addresses are allowed. */
    allow: networksSchema.optional(),
    /** These addresses are refused, even when `allow` has them. */
    deny: networksSchema.optional(),
    basic: basicOf(user).optional(),
    jwt: jwt.optional(),
    /** True: the credential is forwarded to the backend. Default: it is removed. */
    forwardAuthorization: z.boolean().optional(),
  })

/** The input form, in which passwords are allowed. */
export const accessInputSchema = accessOf(writtenUser)
export type AccessInput = z.output<typeof accessInputSchema>

/** The stored form. */
export const accessSchema = accessOf(storedUser)
export type AccessRules = z.output<typeof accessSchema>
export type BasicRules = NonNullable<AccessRules['basic']>
export type JwtRules = NonNullable<AccessRules['jwt']>
