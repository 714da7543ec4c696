// Subsets of a service: parts of its telephone processes, selected by version and labels, that get a share of the requests.
// Used for canary releases, for splits between versions, and for tests of a version by a header field.

import { recordOf } from '@vera-stack/shared/schema/record-of.ts'
import { z } from 'zod'
import { fieldValue } from './field-rules.ts'
import { keyPartSchema, WRITTEN_PARTS } from './key-part.ts'

const MAX_SUBSETS = 10
const MAX_PAIRS = 16
/** 100, and the error that a sum of fractions may have. */
const LARGEST_SUM = 100 + 1e-9

/** The schema of a subset's name. */
export const subsetName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9_.-]+$/, 'must have letters, digits, - _ and . only')
  .meta({
    description: 'Unique among the subsets of the service. The access log shows it.',
    example: 'canary',
  })

const label = z.string().min(1).max(63).meta({ example: 'track' })
const headerName = z
  .string()
  .max(128)
  .regex(
    /^[A-Za-z][A-Za-z0-9_.-]*$/,
    'is not a field name: it has letters, digits, - _ and . and begins with a letter',
  )
  .meta({ example: 'X-Canary' })

const hasFew = (pairs: object) => Object.keys(pairs).length > 0 && Object.keys(pairs).length <= MAX_PAIRS
const FEW = `must have 1 to ${MAX_PAIRS} entries`
const few = { minProperties: 1, maxProperties: MAX_PAIRS }

const select = z
  .strictObject({
    version: z.string().min(1).max(128).optional().meta({
      description: 'The announced version. * stands for any characters, ? for one.',
      example: '2.*',
    }),
    labels: recordOf(label, z.string().max(255))
      .refine(hasFew, FEW)
      .optional()
      .meta({
        ...few,
        propertyNames: { minLength: 1, maxLength: 63, pattern: '^(?!__proto__$)' },
        description: 'Labels that the telephone announces, each with this value.',
      }),
  })
  .refine(
    ({ version, labels }) => version !== undefined || labels !== undefined,
    'needs "version" or "labels"',
  )
  .meta({
    minProperties: 1,
    description: 'The processes of the subset. A process belongs to the first subset that selects it.',
  })

const match = z
  .strictObject({
    header: recordOf(headerName, fieldValue)
      .refine(hasFew, FEW)
      .meta({ ...few, propertyNames: { pattern: '^[A-Za-z][A-Za-z0-9_.-]*$', maxLength: 128 } }),
  })
  .meta({ description: 'Requests that have all these fields go to the subset, before `percent` applies.' })

/** Used when `guard` has no `minRequests`. */
export const DEFAULT_MIN_REQUESTS = 50

const guard = z
  .strictObject({
    maxErrorPercent: z.number().min(0).max(100).meta({
      description:
        'Largest difference between the error percentages of the subset and of the rest, in points.',
      example: 5,
    }),
    minRequests: z
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .meta({
        description: `Requests of the subset before it is compared. Default: ${DEFAULT_MIN_REQUESTS}.`,
      }),
  })
  .meta({
    description:
      'Stops requests to the subset for 60 s when it has more errors than the rest: failed attempts, and statuses of 500 and more. ' +
      'Afterwards it gets half of its share.',
  })

const subset = z.strictObject({
  name: subsetName,
  select,
  percent: z
    .number()
    .min(0)
    .max(100)
    .optional()
    .meta({ description: 'Share of the other requests. Default: 0.', example: 5 }),
  match: match.optional(),
  guard: guard.optional(),
})
export type SubsetRules = Readonly<z.output<typeof subset>>

export const subsetsSchema = z
  .array(subset)
  .max(MAX_SUBSETS)
  .superRefine((subsets, context) => {
    const seen = new Set<string>()
    let sum = 0
    for (const [index, { name: itsName, percent = 0 }] of subsets.entries()) {
      if (seen.size === seen.add(itsName).size) {
        context.addIssue({ code: 'custom', path: [index, 'name'], message: 'is the name of another subset' })
      }
      sum += percent
      if (sum > LARGEST_SUM && sum - percent <= LARGEST_SUM) {
        const message = `makes the sum of the percentages ${sum}; the sum is at most 100`
        context.addIssue({ code: 'custom', path: [index, 'percent'], message })
      }
    }
  })

export const splitBySchema = z
  .union([z.literal('request'), keyPartSchema], {
    error: `is not a value of a request: write "request", ${WRITTEN_PARTS}`,
  })
  .meta({
    description:
      'The value of a request by which `percent` splits: requests with one value go to one subset. `request` decides for each ' +
      'request separately.',
  })
export type SplitBy = z.output<typeof splitBySchema>
