// Who may use a route: addresses, passwords, tokens of an issuer. One shape as it is written (with passwords) and as it
// is stored (with hashes alone). Checked strictly both times: a rule that cannot be read must close the route, not open it.

import { recordOf } from '@vera-stack/shared/record-of.ts'
import { z } from 'zod'
import { parseNetwork } from '../../common/ip-networks.ts'
import { PASSWORD_HASH_FORM, passwordHashProblem } from '../../common/password-hash.ts'
import { storedText } from '../../database/store/stored-text.ts'
import { ownFieldName } from './field-rules.ts'

const MAX_NETWORKS = 1000
const MAX_USERS = 50
/** Characters of a credential of Basic. */
export const MAX_USER_NAME = 128
export const MAX_PASSWORD = 256

/** What all addresses and networks match; not each text that matches is one. */
const NETWORK_FORM =
  '^(?:(?:[0-9]{1,3}\\.){3}[0-9]{1,3}(?:/[0-9]{1,2})?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:/[0-9]{1,3})?)$'

const network = z
  .string()
  .max(64)
  .refine(
    text => parseNetwork(text) !== undefined,
    'is neither an address nor a network: write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32',
  )
  .meta({
    pattern: NETWORK_FORM,
    description: 'An address, or a network with at most 32 (IPv4) or 128 (IPv6) bits.',
    example: '10.0.0.0/8',
  })
const networks = z.array(network).min(1).max(MAX_NETWORKS)

/**
 * Printable, and without the colon, which ends a user name in Basic (RFC 7617). A lone surrogate has no form in UTF-8. The
 * patterns mean the same with the u flag and without, because the OpenAPI document has no flags.
 */
const userName = z
  .string()
  .min(1)
  .max(MAX_USER_NAME)
  .regex(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are excluded
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
  .meta({ writeOnly: true, description: 'Kept as a hash alone.', example: 'analytical engine' })
/** Credentials of clients are checked with the same rules: a value that they refuse matches no user. */
export const isUserName = (text: string): boolean => userName.safeParse(text).success
export const isPassword = (text: string): boolean => password.safeParse(text).success

const storedUser = z.strictObject({ name: userName, hash: hashField })
const writtenUser = z
  .strictObject({ name: userName, hash: hashField.optional(), password: password.optional() })
  .refine(
    user => (user.hash === undefined) !== (user.password === undefined),
    'needs either "password", of which only a hash is kept, or a ready "hash"',
  )
  // The name and one of the two.
  .meta({ minProperties: 2, maxProperties: 2 })

const basicOf = <User extends z.ZodType<{ readonly name: string }>>(user: User) =>
  z.strictObject({
    /** What browsers show when they ask. */
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
      .refine(users => new Set(users.map(({ name }) => name)).size === users.length, 'names a user twice')
      .meta({ description: 'Each name once.' }),
    /** The field in which the backend is told the user's name. */
    forwardUser: ownFieldName.optional(),
  })

/** Asymmetric ones alone: `none` and HS* would make whoever knows the public keys an issuer. */
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
      'is no URL: write others than printable characters percent-encoded',
    )
    .refine(isFetchable, 'is no https URL without user and fragment (http is for loopback alone)')
    .meta({
      description:
        'An https URL without user and fragment; http for loopback alone. The setting `outboundNetworks` allows addresses ' +
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
  /** All of them have to be in `scope`, or `scp`. */
  scopes: z
    .array(
      z
        .string()
        .max(256)
        .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is no scope (RFC 6749 section 3.3)')
        .meta({ example: 'read' }),
    )
    .min(1)
    .max(50)
    .optional(),
  /** Claim → the field in which the backend is told it. */
  forward: recordOf(claimName, ownFieldName)
    .refine(
      map => new Set(Object.values(map).map(name => name.toLowerCase())).size === Object.keys(map).length,
      'tells two claims in one field',
    )
    .meta({ propertyNames: CLAIM_NAMES, description: 'Each field once.' })
    .optional(),
  /** The token is in this field, with or without `Bearer`, instead of Authorization. */
  header: ownFieldName.optional(),
})

const accessOf = <User extends z.ZodType<{ readonly name: string }>>(user: User) =>
  z.strictObject({
    /** Only these addresses. */
    allow: networks.optional(),
    /** Not these, whatever `allow` says. */
    deny: networks.optional(),
    basic: basicOf(user).optional(),
    jwt: jwt.optional(),
    /** The backend sees the credential too; without it, it ends here. */
    forwardAuthorization: z.boolean().optional(),
  })

/** As it is written: passwords are allowed. */
export const accessInputSchema = accessOf(writtenUser)
export type AccessInput = z.output<typeof accessInputSchema>

/** As it is stored. */
export const accessSchema = accessOf(storedUser)
export type AccessRules = z.output<typeof accessSchema>
export type BasicRules = NonNullable<AccessRules['basic']>
export type JwtRules = NonNullable<AccessRules['jwt']>
