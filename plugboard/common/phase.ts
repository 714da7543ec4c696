// The phase of a replica, which `/readyz` reports (replica/lifecycle.ts).

/**
 * `ready`: requests find their routes; `recovering`: the process was suspended, and its links are being renewed; `draining`:
 * the stop has begun.
 */
export const PHASES = ['loading', 'ready', 'recovering', 'draining'] as const
export type Phase = (typeof PHASES)[number]
