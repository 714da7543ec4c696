// The place that charts read their traffic from: the dashboard with its session, or an element in another page with its API key.

import { createContext } from 'preact'
import type { LiveTraffic } from '../api/live-traffic.ts'
import type { Query } from '../api/request.ts'

export interface TrafficSource {
  readonly live: LiveTraffic
  /** Reads a path of the API. Rejects with ApiError. */
  get<Body>(path: string, query: Query, signal: AbortSignal): Promise<Body>
}

export const TrafficSourceContext = createContext<TrafficSource | undefined>(undefined)
