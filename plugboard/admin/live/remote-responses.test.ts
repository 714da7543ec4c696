// A newer replica may add a key to any object of its responses, and this replica must still read them.

import { remoteSummarySchema } from '@vera-stack/shared/inspect/captured-exchange.ts'
import { readRequestLine, requestLineSchema } from '@vera-stack/shared/inspect/request-line.ts'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { remoteStateSchema } from '../bodies/cluster-status.ts'
import { remoteEjectionsSchema } from '../bodies/policy/ejection.ts'
import { remoteLimitsSchema } from '../bodies/policy/limit.ts'
import { remoteProcessesSchema } from '../bodies/policy/service-processes.ts'
import { remoteTunnelHistorySchema } from '../bodies/tunnel-events.ts'
import { servicesResponse, telephonesResponse } from './cluster-view.ts'
import { exchangeResponse } from './exchanges/exchange-view.ts'
import { readPartly } from './read-partly.ts'
import { findResponse } from './requests/request-view.ts'

/** Returns a value that the schema accepts. `more`: keys that each of its objects also has. `enumValue`: the value of each enum. */
function sampleOf(
  schema: z.core.$ZodType,
  more: Readonly<Record<string, unknown>>,
  enumValue?: string,
): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod
  switch (def.type) {
    case 'object': {
      const fields = Object.entries(def.shape).map(([name, field]) => [
        name,
        sampleOf(field, more, enumValue),
      ])
      return { ...Object.fromEntries(fields), ...more }
    }
    case 'array':
      return isNever(def.element) ? [] : [sampleOf(def.element, more, enumValue)]
    case 'tuple':
      return def.items.map(item => sampleOf(item, more, enumValue))
    case 'record':
      return { [String(sampleOf(def.keyType, more, enumValue))]: sampleOf(def.valueType, more, enumValue) }
    case 'nullable':
    case 'optional':
    case 'default':
    case 'catch':
      return sampleOf(def.innerType, more, enumValue)
    case 'string':
      return 'format' in def && def.format === 'datetime' ? '2026-11-20T12:00:00.000Z' : 'text'
    case 'number':
      return 1
    case 'boolean':
      return true
    case 'null':
      return null
    case 'enum':
      return enumValue ?? Object.values(def.entries)[0]
    default:
      throw new Error(`add the kind of schema "${def.type}" to this test`)
  }
}

const isNever = (schema: z.core.$ZodType): boolean => schema._zod.def.type === 'never'

describe.each<[string, z.ZodType]>([
  ['processes', remoteProcessesSchema],
  ['state', remoteStateSchema],
  ['tunnelHistory', remoteTunnelHistorySchema],
  ['ejections', remoteEjectionsSchema],
  ['limits', remoteLimitsSchema],
  ['telephones', telephonesResponse],
  ['services', servicesResponse],
  ['failed requests', findResponse],
  ['exchanges', exchangeResponse],
  ['summaries of exchanges', remoteSummarySchema],
])('the response about %s', (_, schema) => {
  it('is read without the keys that a newer replica has added, at all depths', () => {
    const newer = sampleOf(schema, { newKey: { a: 1 } })
    expect(schema.safeParse(newer).error?.issues ?? []).toEqual([])
    expect(schema.parse(newer)).toEqual(schema.parse(sampleOf(schema, {})))
  })

  it('is read as far as possible when a newer replica has further values of enums', () => {
    expect(readPartly(schema, sampleOf(schema, {}, 'newer'))).toBeDefined()
    expect(readPartly(schema, sampleOf(schema, {}))).toEqual({
      value: schema.parse(sampleOf(schema, {})),
      isPartial: false,
    })
  })
})

it('a request line is read without the keys that a newer replica has added', () => {
  const line = sampleOf(requestLineSchema, {})
  expect(readRequestLine(sampleOf(requestLineSchema, { newKey: 1 }))).toEqual(line)
})

it('processes are read with a reason of retries that a newer replica has added, and without one that it lacks', () => {
  const value = sampleOf(remoteProcessesSchema, {}) as z.output<typeof remoteProcessesSchema>
  const { decisions } = value.service
  const other = {
    ...value,
    service: { ...value.service, decisions: { ...decisions, retries: { newer: 5 } } },
  }
  expect(remoteProcessesSchema.parse(other).service.decisions.retries).toMatchObject({ refused: 0, other: 0 })
})
