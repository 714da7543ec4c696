// Tests the gatekeeper with random rules of routes, claims and tokens. A request must pass exactly when its token is
// unchanged since the issuer signed it, and its claims and scopes fit the rules according to a check of three lines.

import { silentLogger as log } from '@vera-stack/shared/log.ts'
import { Gatekeeper } from '../../../../plugboard/access/gatekeeper.ts'
import { OutboundNetworks } from '../../../../plugboard/routes/options/outbound-networks.ts'
import { resolveRouteOptions } from '../../../../plugboard/routes/options/route-options.ts'
import { AUDIENCE, ISSUER, Issuer } from '../../../support/credentials/issuer.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { randomInteger, seededRandom } from '../../../support/seeded-random.ts'

export interface AccessFuzzReport {
  readonly passed: number
  readonly refused: number
  readonly violations: readonly string[]
}

const VALUES = ['', 'a', 'A', 'a b', '1', 1, 0, true, false, 'null', '__proto__', 'é'] as const
const NAMES = ['role', 'level', 'constructor', 'toString', 'x/y', 'a~b'] as const
const SCOPES = ['read', 'write', 'admin'] as const

export async function fuzzAccess(seed: number, count: number): Promise<AccessFuzzReport> {
  const random = seededRandom(seed)
  const pick = <Value>(list: readonly Value[]): Value =>
    list[randomInteger(random, 0, list.length - 1)] as Value
  const clock = new ManualClock()
  const issuer = new Issuer()
  issuer.addKey()
  const gate = new Gatekeeper({ clock, log, outbound: new OutboundNetworks([]), load: issuer.load })
  const violations: string[] = []
  let passed = 0
  for (let index = 0; index < count; index += 1) {
    const name = pick(NAMES)
    const wanted = pick(VALUES.filter(value => value !== ''))
    const scope = pick(SCOPES)
    const jwt = { issuer: ISSUER, audience: AUDIENCE, jwksUrl: 'https://issuer.test/jwks' }
    const { rules } = resolveRouteOptions({
      access: { jwt: { ...jwt, claims: { [name]: wanted }, scopes: [scope] } },
    })
    const value = random() < 0.5 ? wanted : pick(VALUES)
    const held = SCOPES.filter(() => random() < 0.7)
    const signed = issuer.token({ [name]: value, scope: held.join(' ') }, { nowMs: clock.wallTime() })
    const at = randomInteger(random, 0, signed.length - 2)
    const changed = random() < 0.3
    const other = signed[at] === 'A' ? 'B' : 'A'
    const token = changed ? signed.slice(0, at) + other + signed.slice(at + 1) : signed
    const allowed = !changed && value === wanted && held.includes(scope)
    if (rules === null) throw new Error('the rules are missing')
    const verdict = await gate.decide({
      rules,
      mountPath: '/',
      method: 'GET',
      fields: ['Authorization', `Bearer ${token}`],
      host: 'app.test',
      path: '/',
      query: '',
      clientAddress: '192.0.2.7',
      requestId: String(index),
    })
    if (verdict === undefined) passed += 1
    if ((verdict === undefined) !== allowed) {
      const claims = JSON.stringify({ name, wanted, value, scope, held, changed, at })
      violations.push(`seed ${seed}, request ${index}: expected ${allowed ? 'passed' : 'refused'}: ${claims}`)
    }
  }
  return { passed, refused: count - passed, violations }
}
