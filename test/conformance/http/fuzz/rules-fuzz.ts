// Tests the gatekeeper with random rules of routes and random requests. Its decision, the fields for the backend and the
// fields of the response must equal those of the oracle.

import { isDeepStrictEqual } from 'node:util'
import { silentLogger as log } from '@vera-stack/shared/log.ts'
import type { AccessDecision } from '../../../../plugboard/access/access-decision.ts'
import { Gatekeeper } from '../../../../plugboard/access/gatekeeper.ts'
import { hashPassword } from '../../../../plugboard/common/passwords/password-hash.ts'
import { OutboundNetworks } from '../../../../plugboard/routes/options/outbound-networks.ts'
import {
  resolveRouteOptions,
  routeOptionsInputSchema,
} from '../../../../plugboard/routes/options/route-options.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { seededRandom } from '../../../support/seeded-random.ts'
import { type FieldList, type RulesCase, rulesCase, USERS } from './rules-mutate.ts'
import { type Expected, expectedOf, expectedResponse, readResponse } from './rules-oracle.ts'

export interface RulesFuzzReport {
  /** Cases by their expected outcome. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly violations: readonly string[]
}

/** Longer than the delay of an address after a wrong password, so that no case waits for the one before. */
const BETWEEN_CASES_MS = 10_000
const MAX_VIOLATIONS = 20

/** `from`: the number of the first case, to repeat one. */
export async function fuzzRules(seed: number, count: number, from = 0): Promise<RulesFuzzReport> {
  const clock = new ManualClock()
  const outbound = new OutboundNetworks([])
  const gate = new Gatekeeper({ clock, log, outbound, load: () => Promise.reject(new Error('no issuer')) })
  const hashes = new Map<string, string>()
  for (const { name, password } of USERS)
    hashes.set(name, await hashPassword(password, { ln: 10, r: 1, p: 1 }))
  const outcomes: Record<string, number> = {}
  const violations: string[] = []
  for (let index = from; index < from + count && violations.length < MAX_VIOLATIONS; index += 1) {
    const rules = rulesCase(seededRandom(seed ^ Math.imul(index + 1, 0x9e3779b1)), index)
    const expected = expectedOf(rules)
    const outcome = expected.kind === 'refused' ? expected.code : expected.kind
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    for (const problem of await problemsOf(gate, rules, expected, hashes))
      violations.push(`seed ${seed}, case ${index}: ${problem}\n  ${JSON.stringify(rules)}`)
    clock.advance(BETWEEN_CASES_MS)
  }
  return { outcomes, violations }
}

async function problemsOf(
  gate: Gatekeeper,
  rules: RulesCase,
  expected: Expected,
  hashes: ReadonlyMap<string, string>,
): Promise<string[]> {
  const options = optionsOf(rules, hashes)
  const parsed = routeOptionsInputSchema.safeParse(options)
  if (!parsed.success) return [`the rules are refused: ${parsed.error.message}`]
  const resolved = resolveRouteOptions(options).rules
  if (resolved === null) return []
  const fields = rules.fields.flat()
  const { method, clientAddress, host, requestId } = rules
  const request = {
    rules: resolved,
    mountPath: '/',
    method,
    fields,
    host,
    path: '/',
    query: '',
    clientAddress,
    requestId,
  }
  const edits = gate.answerEdits(request)
  const verdict = gate.decideByAddress(request) ?? (await gate.decide(request))
  const problems: string[] = []
  const compare = (what: string, actual: unknown, wanted: unknown): void => {
    if (!isDeepStrictEqual(actual, wanted))
      problems.push(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`)
  }
  compare('decision', decisionOf(verdict, fields), expected)
  for (const source of ['backend', 'plugboard'] as const) {
    const response = rules.response.flat()
    edits?.apply(response, source)
    compare(`response of ${source}`, readResponse(pairsOf(response)), expectedResponse(rules, source))
  }
  return problems
}

function optionsOf(rules: RulesCase, hashes: ReadonlyMap<string, string>): Record<string, unknown> {
  const { allow, deny, users, realm, forwardUser, forwardAuthorization, cors } = rules
  const basic = users && {
    users: users.map(({ name }) => ({ name, hash: hashes.get(name) })),
    ...(realm !== undefined && { realm }),
    ...(forwardUser !== undefined && { forwardUser }),
  }
  const options = {
    access: {
      ...(allow !== undefined && { allow }),
      ...(deny !== undefined && { deny }),
      ...(basic !== undefined && { basic, forwardAuthorization }),
    },
    cors,
    requestHeaders: rules.requestHeaders,
    responseHeaders: rules.responseHeaders,
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

/** Returns the decision of the product in the form of the expectation. */
function decisionOf(verdict: AccessDecision | undefined, fields: readonly string[]): unknown {
  if (verdict === undefined) return { kind: 'forwarded', fields: pairsOf(fields) }
  if ('code' in verdict) {
    const challenge = verdict.fields?.[1]
    return { kind: 'refused', code: verdict.code, ...(challenge !== undefined && { challenge }) }
  }
  return { kind: 'preflight', cors: readResponse(pairsOf(verdict.fields)).cors }
}

function pairsOf(flat: readonly string[]): FieldList {
  return Array.from({ length: flat.length / 2 }, (_, index) => [
    flat[index * 2] as string,
    flat[index * 2 + 1] as string,
  ])
}
