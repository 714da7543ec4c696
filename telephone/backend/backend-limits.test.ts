import { describe, expect, it } from 'vitest'
import { parseService } from '../options/service-options.ts'
import { fitBackendLimits } from './backend-limits.ts'

const web = parseService({ service: 'web', target: '127.0.0.1:1' })
const grpc = parseService({ service: 'grpc', target: 'h2c://127.0.0.1:1', healthCheck: 'grpc' })
const fetch = parseService({ service: 'fetch', target: () => new Response() })

describe('fitBackendLimits', () => {
  it.each([524_288, Number.POSITIVE_INFINITY])('keeps the limits with %s open files', openFiles => {
    const { limits, lowered } = fitBackendLimits([web, grpc, fetch], 2, openFiles)
    expect(limits.get('web')).toMatchObject({ maxConnections: 512 })
    expect(limits.get('grpc')).toMatchObject({ maxConnections: 64 })
    expect(limits.has('fetch')).toBe(false)
    expect(lowered).toBeUndefined()
  })

  it('divides too few open files among all services and their upgraded connections', () => {
    const { limits, lowered } = fitBackendLimits([web, grpc], 2, 256)
    expect([...limits.values()]).toEqual([
      { maxConnections: 48, maxDetached: 48 },
      { maxConnections: 48, maxDetached: 48 },
    ])
    expect(lowered).toEqual({
      isProblem: true,
      detail:
        'maxConnections of web from 512 to 48, grpc from 64 to 48: the limit of open files is 256. ' +
        'Raise that limit, or lower this setting.',
    })
  })

  it('compares a configured limit too', () => {
    const large = parseService({ service: 'large', target: '127.0.0.1:1', maxConnections: 10_000 })
    const { limits, lowered } = fitBackendLimits([large], 1, 1024)
    expect(limits.get('large')).toEqual({ maxConnections: 483, maxDetached: 483 })
    expect(lowered?.isProblem).toBe(true)
  })

  it('reports no problem when a default is lowered a little', () => {
    expect(fitBackendLimits([web], 2, 1024).lowered).toEqual({
      isProblem: false,
      detail:
        'maxConnections of web from 512 to 482: the limit of open files is 1024. ' +
        'This is enough for most backends. For more connections at once, raise that limit.',
    })
  })

  it('keeps at least one connection for each service', () => {
    expect(fitBackendLimits([web], 2, 32).limits.get('web')).toEqual({ maxConnections: 1, maxDetached: 1 })
  })
})
