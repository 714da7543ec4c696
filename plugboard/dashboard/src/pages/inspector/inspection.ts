// The capture of a service: its state, and the request that turns it on or off.

import type { ServiceBody } from '../../../../admin/api-types.ts'
import { request } from '../../api/request.ts'

/** Returns the time until which exchanges are captured, ms since 1970; undefined when the inspector is off. */
export function inspectedUntil({ policy }: ServiceBody): number | undefined {
  const until = Date.parse(String(rulesOf(policy).until))
  return until > Date.now() ? until : undefined
}

/** `minutes`: the duration; 0 turns the inspector off. Keeps its other rules. Rejects with ApiError. */
export async function setInspection({ id, version, policy }: ServiceBody, minutes: number): Promise<void> {
  const until = new Date(Date.now() + minutes * 60_000).toISOString()
  const inspect = minutes === 0 ? null : { ...rulesOf(policy), until }
  await request('PATCH', `/v1/services/${id}`, { ifMatch: `"${version}"`, body: { policy: { inspect } } })
}

function rulesOf(policy: ServiceBody['policy']): Readonly<Record<string, unknown>> {
  const { inspect } = policy
  return typeof inspect === 'object' && inspect !== null ? (inspect as Record<string, unknown>) : {}
}
