// The key `outlier` of the policy of a service: when passive ejection takes a failing telephone process out of the choice
// (telephones/outliers/).

import { z } from 'zod'

const fields = {
  /** Failures in a row after which a process is ejected. */
  consecutive: z.int().min(1).max(1000).default(5),
  /** Time of the first ejection, ms. It doubles with each further one. */
  ejectMs: z.int().min(100).max(3_600_000).default(10_000),
  /** Longest time of an ejection, ms. */
  maxEjectMs: z.int().min(100).max(86_400_000).default(300_000),
  /** Largest share of the processes that is ejected, without those whose backends refuse connections. */
  maxEjectedPercent: z.int().min(0).max(100).default(50),
} as const

const DEFAULTS = Object.freeze(z.object(fields).parse({}))

/** Reads the stored value. Absent keys have their defaults, and unknown keys of a newer version are ignored. */
export const outlierSchema = z.union([z.literal(false), z.object(fields).readonly()]).default(DEFAULTS)

/** false: no process of the service is ejected. */
export type OutlierPolicy = z.output<typeof outlierSchema>

/** The writable value: any subset of the keys. Absent keys stay absent, so that defaults can change. */
export const outlierInputSchema = z
  .union(
    [
      z.literal(false),
      z
        .strictObject({
          consecutive: fields.consecutive.removeDefault(),
          ejectMs: fields.ejectMs
            .removeDefault()
            .meta({ description: 'At most `maxEjectMs`. Default 10000.' }),
          maxEjectMs: fields.maxEjectMs.removeDefault(),
          maxEjectedPercent: fields.maxEjectedPercent.removeDefault(),
        })
        .partial(),
    ],
    'is neither false nor an object such as {"consecutive": 5}',
  )
  .meta({
    description:
      'Passive ejection of failing telephone processes. false: off. Absent keys have their defaults: `consecutive` 5, ' +
      '`ejectMs` 10000, `maxEjectMs` 300000, `maxEjectedPercent` 50.',
    example: { consecutive: 5, ejectMs: 10_000, maxEjectMs: 300_000, maxEjectedPercent: 50 },
  })
