import { describe, expect, it } from 'vitest'
import { loadSettings, type SettingsError } from '../settings.ts'
import {
  metricsReceiver,
  type OtlpConfig,
  otlpProblems,
  otlpSettings,
  tracesReceiver,
} from './otlp-settings.ts'

function load(env: Record<string, string>): OtlpConfig {
  return loadSettings(otlpSettings, { prefix: 'X_', env, check: otlpProblems }).values
}

function problemOf(env: Record<string, string>): string {
  try {
    load(env)
    return ''
  } catch (error) {
    return (error as SettingsError).message
  }
}

describe('the receivers', () => {
  it('are absent without an endpoint', () => {
    const config = load({})
    expect([metricsReceiver(config), tracesReceiver(config)]).toEqual([undefined, undefined])
  })

  it('are both below otlpEndpoint, and get the same fields', () => {
    const config = load({
      X_OTLP_ENDPOINT: 'http://a.example/otlp',
      X_OTLP_HEADERS: 'Authorization=Basic%20YTpi%3D, x-scope-orgid = one ,X-Scope-OrgID=two',
    })
    const headers = { authorization: 'Basic YTpi=', 'x-scope-orgid': 'two' }
    expect(metricsReceiver(config)).toEqual({ url: new URL('http://a.example/otlp/v1/metrics'), headers })
    expect(tracesReceiver(config)).toEqual({ url: new URL('http://a.example/otlp/v1/traces'), headers })
  })

  it('can be a receiver of traces alone, or two receivers', () => {
    const traces = { X_OTLP_TRACES_ENDPOINT: 'http://tempo:4318' }
    expect(metricsReceiver(load(traces))).toBeUndefined()
    expect(tracesReceiver(load(traces))?.url.href).toBe('http://tempo:4318/v1/traces')
    const both = load({ ...traces, X_OTLP_ENDPOINT: 'http://mimir' })
    expect(metricsReceiver(both)?.url.href).toBe('http://mimir/v1/metrics')
    expect(tracesReceiver(both)?.url.href).toBe('http://tempo:4318/v1/traces')
  })

  it('has no receiver of traces with a share of 0', () => {
    const config = load({ X_OTLP_ENDPOINT: 'http://a.example', X_TRACE_SAMPLE: '0' })
    expect(metricsReceiver(config)).toBeDefined()
    expect(tracesReceiver(config)).toBeUndefined()
  })
})

describe('otlpHeaders', () => {
  it.each([
    ['no value', 'hunter2', /item 1 of the list is not name=value/],
    ['a name that is no token', 'a=1,b c=hunter2', /item 2 of the list is not name=value/],
    ['a field of the sender', 'Content-Type=hunter2', /sets content-type/],
    ['a wrong escape', 'x-key=hunter2%zz', /the value of x-key cannot be sent/],
    ['a line end', 'x-key=hunter2%0d%0aHost: a', /the value of x-key cannot be sent/],
  ])('refuses %s, and does not show the value', (_, text, message) => {
    const problem = problemOf({ X_OTLP_ENDPOINT: 'http://a.example', X_OTLP_HEADERS: text })
    expect(problem).toMatch(message)
    expect(problem).not.toContain('hunter2')
  })

  it('needs an endpoint', () => {
    expect(problemOf({ X_OTLP_HEADERS: 'x-key=hunter2' })).toMatch(/needs otlpEndpoint or otlpTracesEndpoint/)
  })
})
