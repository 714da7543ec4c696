// The access line: the record of one finished request. The sink that receives it is injected, and no request waits for it. With
// sampling, a part of the lines is written; those of failed, retried and slow requests always are.

import type { AccessFields } from '@vera-stack/shared/log.ts'
import { isTraceParent, traceIdOf } from '@vera-stack/shared/trace/trace-parent.ts'
import type { FinishedRequest, RequestObserver } from './finished-request.ts'

export type AccessSink = (fields: AccessFields) => void

/** The status code in the access line when the client closed the connection before a response began. Never sent to a client. */
export const CLIENT_CLOSED_REQUEST = 499
/** The line of a request of this duration or longer is always written, ms. */
const SLOW_MS = 1000

/** `sample`: the part of the lines to write, from 0 to 1. `seed`: for the choice of these lines. */
export function accessLog(sink: AccessSink, sample: number, seed: number): RequestObserver {
  if (sample >= 1) return (finished, nowMs) => sink(accessFieldsOf(finished, nowMs))
  const random = xorshift(seed)
  return (finished, nowMs) => {
    if (isAlwaysLogged(finished, nowMs)) sink(accessFieldsOf(finished, nowMs))
    else if (random() < sample) sink({ ...accessFieldsOf(finished, nowMs), sampleRate: sample })
  }
}

export function accessFieldsOf(finished: FinishedRequest, nowMs: number): AccessFields {
  const { facts, route, code, attempts, headMs, backendUs } = finished
  const { traceParent = '', userAgent = '' } = facts
  const failure = code === undefined ? undefined : finished.failure
  return {
    requestId: facts.requestId,
    method: finished.method,
    host: facts.host,
    path: facts.path,
    status: finished.status,
    durationMs: roundedMs(nowMs - finished.startedAtMs),
    bytesIn: finished.bytesIn,
    bytesOut: finished.bytesOut,
    remoteAddress: facts.clientAddress,
    protocol: facts.protocol,
    route: route?.id,
    mount: route?.mount,
    service: route?.service.name || undefined,
    telephoneId: finished.telephone,
    peer: finished.peer,
    subset: finished.subsetName,
    headMs: headMs === undefined ? undefined : roundedMs(headMs),
    backendMs: backendUs === undefined ? undefined : backendUs / 1000,
    retries: attempts > 1 ? attempts - 1 : undefined,
    limit: facts.limitName,
    code,
    cause: failure?.cause,
    detail: failure?.detail,
    traceId: facts.traced?.traceId ?? (isTraceParent(traceParent) ? traceIdOf(traceParent) : undefined),
    replayOf: facts.replay?.exchange,
    userAgent: userAgent === '' ? undefined : userAgent,
  }
}

/** True for a response with an error code or a status of 500 or more, for a retried request, and for a slow one. */
function isAlwaysLogged({ status, code, attempts, startedAtMs }: FinishedRequest, nowMs: number): boolean {
  return code !== undefined || status >= 500 || attempts > 1 || nowMs - startedAtMs >= SLOW_MS
}

/** Returns a duration in the form of the access line: with three digits after the point. */
function roundedMs(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000
}

/** Returns a generator of numbers from 0 to below 1 (Marsaglia's xorshift32). It costs a fifth of Math.random. */
function xorshift(seed: number): () => number {
  let state = Math.trunc(seed * 0x7fff_ffff) + 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 0x1_0000_0000
  }
}
