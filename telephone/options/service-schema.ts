// Parses the rows of `services:` in the YAML file. This file checks only types and units. service-options.ts checks the values, as
// for flags and for the library.

import { readFileSync } from 'node:fs'
import { recordOf } from '@vera-stack/shared/schema/record-of.ts'
import { z } from '@vera-stack/shared/schema/zod.ts'
import { parseDuration, percentKind } from '@vera-stack/shared/settings/kind.ts'
import type { ServiceOptions } from './service-options.ts'

const duration = z.union([z.string(), z.number()]).transform((raw, context) => {
  const parsed = parseDuration(raw)
  if (parsed.ok) return parsed.value
  context.addIssue({ code: 'custom', message: parsed.problem })
  return z.NEVER
})

const percentage = percentKind({ min: 1, max: 100 })
const percent = z.union([z.string(), z.number()]).transform((raw, context) => {
  const parsed = percentage.parse(raw, '')
  if (parsed.ok) return parsed.value
  context.addIssue({ code: 'custom', message: parsed.problem })
  return z.NEVER
})

/** Replaces the path of a PEM file by the text of the file. */
const pem = z.string().transform((path, context) => {
  try {
    return readPem(path)
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
    return z.NEVER
  }
})

const serviceSchema = z.strictObject({
  service: z.string().optional(),
  mount: z.string().optional(),
  ephemeral: z.boolean().optional(),
  mountLifetime: duration.optional(),
  target: z.union([z.string(), z.number()]),
  weight: z.number().optional(),
  version: z.string().max(128).optional(),
  labels: recordOf(z.string(), z.string()).optional(),
  hostHeader: z.string().optional(),
  tlsVerify: z.boolean().optional(),
  tlsCa: pem.optional(),
  healthCheck: z.string().optional(),
  healthInterval: duration.optional(),
  connectTimeout: duration.optional(),
  keepAlive: duration.optional(),
  maxConnections: z.int().min(1).optional(),
  backendParsing: z.enum(['strict', 'lenient']).optional(),
  clientShare: percent.optional(),
})

export const servicesSchema = z.array(serviceSchema).min(1).max(1000)
export type ServiceRow = z.infer<typeof serviceSchema>

export function serviceOptionsOf(row: ServiceRow): ServiceOptions {
  const { mountLifetime, healthInterval, connectTimeout, keepAlive, clientShare, ...rest } = row
  return {
    ...rest,
    mountLifetimeMs: mountLifetime,
    healthIntervalMs: healthInterval,
    connectTimeoutMs: connectTimeout,
    keepAliveMs: keepAlive,
    clientSharePercent: clientShare,
  }
}

/** Returns the text of a PEM file. Throws an Error that names the file. */
export function readPem(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Error(`the file ${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new Error(`the file ${path} contains no PEM certificate`)
  return text
}
